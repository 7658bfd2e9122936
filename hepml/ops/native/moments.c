/* Sums of the invariants of all pairs of each set: the native kernel of hepml.ops.pair_moments.

   Each receiver goes through all others of its set; nothing is shared between threads. */
#include "native.h"

enum { PIECE = 256 };

typedef struct {
    int64_t items, sets, threads, single;
    const int64_t *offsets;
    const double *p4;
    double *sums, *squares; /* (items, 2), (threads, 3): of (0, 0), (0, 1), (1, 1) */
    /* Of the backward pass. */
    const double *d_sums, *both; /* (items, 2); the gradient for the squares and its transpose */
    double *d_p4;
} Moments;

typedef struct {
    double square[PIECE], product[PIECE], s[2][PIECE];
} Piece;

/* psi(|p - q|^2) and psi(<p, q>) of the senders from `first` on; in float32 if p4 was that. */
static void find_invariants(const Moments *of, int64_t i, int64_t first, long number, Piece *to) {
    const double *p = of->p4 + 4 * i, *q = of->p4 + 4 * first;
    for (long k = 0; k < number; k++, q += 4) {
        double difference[4];
        multiply_momenta(p, q, difference, to->square + k, to->product + k);
    }
    for (int n = 0; n < 2; n++) {
        const double *x = n ? to->product : to->square;
        if (of->single) {
            float s[PIECE + LANES] = {0};
            for (long k = 0; k < number; k++) s[k] = (float)x[k];
            for (long k = 0; k < number; k += LANES)
                store(s + k, psi_of(load(s + k)));
            for (long k = 0; k < number; k++) to->s[n][k] = s[k];
        } else {
            for (long k = 0; k < number; k++) to->s[n][k] = copysign(log1p(fabs(x[k])), x[k]);
        }
    }
}

static void add_up(const Moments *of, int64_t i, long number, const Piece *at, double *squares) {
    double *sums = of->sums + 2 * i;
    for (long k = 0; k < number; k++) {
        double s = at->s[0][k], t = at->s[1][k];
        sums[0] += s, sums[1] += t;
        squares[0] += s * s, squares[1] += s * t, squares[2] += t * t;
    }
}

/* The gradient for the receiver, of s_ij and of s_ji, which are the same number. */
static void go_back(const Moments *of, int64_t i, int64_t first, long number, const Piece *at) {
    const double *p = of->p4 + 4 * i, *q = of->p4 + 4 * first, *both = of->both;
    const double *d_i = of->d_sums + 2 * i, *d_j = of->d_sums + 2 * first;
    double *d_p = of->d_p4 + 4 * i;
    for (long k = 0; k < number; k++, q += 4, d_j += 2) {
        double s = at->s[0][k], t = at->s[1][k];
        double d_square = d_i[0] + d_j[0] + 2 * (both[0] * s + both[1] * t);
        double d_product = d_i[1] + d_j[1] + 2 * (both[2] * s + both[3] * t);
        d_square /= 1 + fabs(at->square[k]);
        d_product /= 1 + fabs(at->product[k]);
        for (int c = 0; c < 4; c++)
            d_p[c] += (c ? -1 : 1) * (2 * d_square * (p[c] - q[c]) + d_product * q[c]);
    }
}

static void work(const Moments *of, int64_t first, int64_t last, double *squares) {
    Piece piece;
    for (int64_t set = 0; set < of->sets; set++) {
        int64_t start = of->offsets[set], end = of->offsets[set + 1];
        for (int64_t i = start > first ? start : first; i < end && i < last; i++)
            for (int64_t j = start; j < end;) {
                j += j == i;
                int64_t stop = least(j < i ? i : end, j + PIECE);
                find_invariants(of, i, j, stop - j, &piece);
                if (of->d_p4) go_back(of, i, j, stop - j, &piece);
                else add_up(of, i, stop - j, &piece, squares);
                j = stop;
            }
    }
}

/* Forward without d_p4, else backward; into arrays of zeros. 0, or 1 without memory. */
int hepml_pair_moments(const Moments *of) {
    int threads = (int)of->threads;
    int64_t *first = calloc(threads + 1, sizeof(int64_t));
    if (!first) return 1;
    share_receivers(of->offsets, of->sets, of->items, threads, first);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int k = 0; k < threads; k++)
        work(of, first[k], first[k + 1], of->squares ? of->squares + 3 * k : NULL);
    free(first);
    return 0;
}
