/* Reductions over segments of rows, and what is done to each row with numbers of its segment: the
   native kernels of hepml.ops.segment_*. Compiled twice, for float and for double.

   Threads share the rows equally, wherever the segments end: what a thread finds of a segment that
   is not its own alone is put together at the end, always in the same order. */
#include "native.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#ifdef HEPML_DOUBLE
#define NAME(function) function##_double
#else
#define NAME(function) function##_float
#endif

enum { SUM, MAX, MIN, EXPONENTIALS, TIES, PRODUCTS, MEAN }; /* what is reduced */
enum { ROWS = 128, COLUMNS = 4 }; /* rows summed at a time, vectors of a row */
/* Vectors taken at a time where all are alike, and the most that a pattern of columns takes. */
enum { ALIKE = 4, MOST = LANES > ALIKE ? LANES : ALIKE };

typedef struct {
    int64_t operation, segments, channels, threads;
    const int64_t *offsets;
    const real *x, *y;    /* (rows, channels) */
    const real *row, *other; /* (segments, channels) */
    real *out;
} Segments;

INLINE real neutral(const int op) { return op == MAX ? -INFINITY : op == MIN ? INFINITY : 0; }

/* What a number adds: exp(x - row), whether x is row, x y, or x itself. */
INLINE vec term(const int op, vec x, vec y, vec row) {
    switch (op) {
        case EXPONENTIALS: return exp_of(x - row);
        case TIES: return choose(x == row, spread(1), spread(0));
        case PRODUCTS: return x * y;
        default: return x;
    }
}
/* A NaN stays. */
INLINE vec combine(const int op, vec sum, vec x) {
    if (op == MAX) return choose((x > sum) | (x != x), x, sum);
    if (op == MIN) return choose((x < sum) | (x != x), x, sum);
    return sum + x;
}

/* A row narrower than a vector over and over, until so many vectors are full. */
INLINE void fill(vec *vectors, long number, const real *row, long channels) {
    if (channels == 1) {
        for (long v = 0; v < number; v++) vectors[v] = spread(*row);
        return;
    }
    real lanes[LANES];
    long c = 0;
    for (long v = 0; v < number; v++) {
        for (int l = 0; l < LANES; l++) {
            lanes[l] = row[c];
            c = c + 1 == channels ? 0 : c + 1;
        }
        vectors[v] = load(lanes);
    }
}

/* Columns of a multiple of whole vectors. */
INLINE void reduce_columns(const int op, const int vectors, const real *x, const real *y,
                           const real *row, long rows, long stride, real *out) {
    vec total[COLUMNS], shift[COLUMNS];
    for (int v = 0; v < vectors; v++) {
        total[v] = spread(neutral(op));
        shift[v] = row ? load(row + v * LANES) : (vec){0};
    }
    for (long first = 0; first < rows; first += ROWS) {
        vec sum[COLUMNS];
        for (int v = 0; v < vectors; v++) sum[v] = spread(neutral(op));
        for (long r = first; r < least(rows, first + ROWS); r++)
            for (int v = 0; v < vectors; v++) {
                long at = r * stride + v * LANES;
                vec second = op == PRODUCTS ? load(y + at) : (vec){0};
                sum[v] = combine(op, sum[v], term(op, load(x + at), second, shift[v]));
            }
        for (int v = 0; v < vectors; v++) total[v] = combine(op, total[v], sum[v]);
    }
    for (int v = 0; v < vectors; v++) store(out + v * LANES, total[v]);
}

/* Rows narrower than a vector, one after another as they lie: every `period` vectors, a lane holds
   the same column again; where they divide a vector, every vector is alike, and several are taken
   at a time for speed. */
INLINE void reduce_narrow(const int op, const int divides, const int period, long channels,
                          const real *x, const real *y, const real *row, long rows,
                          const real *limit, real *out) {
    vec total[MOST], shift[MOST];
    if (row) fill(shift, divides ? 1 : period, row, channels);
    for (int v = 0; v < period; v++) {
        total[v] = spread(neutral(op));
        if (!row) shift[v] = (vec){0};
        else if (divides) shift[v] = shift[0];
    }
    for (long first = 0; first < rows; first += ROWS * LANES) {
        long end = least(rows, first + ROWS * LANES) * channels, at = first * channels;
        vec sum[MOST];
        for (int v = 0; v < period; v++) sum[v] = spread(neutral(op));
        for (; at + period * LANES <= end; at += period * LANES)
            for (int v = 0; v < period; v++) {
                vec second = op == PRODUCTS ? load(y + at + v * LANES) : (vec){0};
                sum[v] = combine(op, sum[v], term(op, load(x + at + v * LANES), second, shift[v]));
            }
#pragma GCC unroll 4
        for (int v = 0; v < period; v++, at += LANES) {
            long n = end - at;
            if (n <= 0) break;
            /* Beyond the end are the rows of others, unless it is the end of all. */
            int there = x + at + LANES <= limit;
            vec one = there ? load(x + at) : load_part(x + at, least(LANES, n), spread(0));
            vec second = {0};
            if (op == PRODUCTS)
                second = there ? load(y + at) : load_part(y + at, least(LANES, n), spread(0));
            vec found = term(op, one, second, shift[v]);
            if (n < LANES) found = choose(below(n), found, spread(neutral(op)));
            sum[v] = combine(op, sum[v], found);
        }
        for (int v = 0; v < period; v++) total[v] = combine(op, total[v], sum[v]);
    }
    vec sum = spread(neutral(op));
    if (divides) {
        for (int v = 0; v < period; v++) sum = combine(op, sum, total[v]);
        /* The same column again after so many lanes. */
#pragma GCC unroll 4
        for (int step = LANES / 2; step; step /= 2)
            if (step >= channels) sum = combine(op, sum, turn(sum, step));
        if (channels == 1) {
            *out = sum[0];
            return;
        }
    } else {
        real flat[LANES * LANES];
        for (int v = 0; v < period; v++) store(flat + v * LANES, total[v]);
        for (int l = 0; l < LANES; l++)
            sum = combine(op, sum, load_part(flat + l * channels, channels, spread(neutral(op))));
    }
    store_part(out, channels, sum);
}

INLINE void reduce_rows(const int op, long channels, const real *x, const real *y,
                        const real *row, long rows, const real *limit, real *out) {
    if (channels < LANES) {
        if (channels == 1) reduce_narrow(op, 1, ALIKE, 1, x, y, row, rows, limit, out);
        else if (LANES % channels == 0)
            reduce_narrow(op, 1, ALIKE, channels, x, y, row, rows, limit, out);
        else reduce_narrow(op, 0, (int)channels, channels, x, y, row, rows, limit, out);
        return;
    }
    for (long c = 0; c < channels;) {
        /* The last vectors overlap those before them. */
        long left = channels - c;
        if (left < LANES) c = channels - LANES, left = LANES;
        const real *second = y ? y + c : NULL, *shift = row ? row + c : NULL;
        long vectors = least(left / LANES, COLUMNS);
#define CASE(n)                                                                        \
    case n:                                                                            \
        reduce_columns(op, n, x + c, second, shift, rows, channels, out + c);          \
        break;
        switch (vectors) { CASE(1) CASE(2) CASE(3) CASE(4) }
#undef CASE
        c += vectors * LANES;
    }
}

/* What a thread found of the first and of the last segment of its rows. */
typedef struct {
    int64_t segment[2];
    real *found[2];
} Ends;

/* The segment of a row: the last that begins at it or before it, and is not empty. */
static int64_t segment_of(const Segments *of, int64_t row) {
    int64_t low = 0, high = of->segments;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (of->offsets[middle + 1] <= row) low = middle + 1;
        else high = middle;
    }
    return low;
}

INLINE void reduce_share(const int op, const Segments *of, int64_t first, int64_t last, Ends *ends) {
    long channels = of->channels;
    const real *limit = of->x + of->offsets[of->segments] * channels;
    for (int64_t s = segment_of(of, first); s < of->segments && of->offsets[s] < last; s++) {
        int64_t start = of->offsets[s], end = of->offsets[s + 1];
        real *out = of->out + s * channels;
        if (start == end) continue;
        if (start < first || end > last) {
            int which = start < first ? 0 : 1;
            ends->segment[which] = s;
            out = ends->found[which];
        }
        start = start < first ? first : start;
        end = least(end, last);
        reduce_rows(op, channels, of->x + start * channels, of->y ? of->y + start * channels : NULL,
                    of->row ? of->row + s * channels : NULL, end - start, limit, out);
    }
}

static void reduce_all(const Segments *of, int64_t first, int64_t last, Ends *ends) {
    switch (of->operation) {
        case SUM:
        case MEAN: reduce_share(SUM, of, first, last, ends); break;
        case MAX: reduce_share(MAX, of, first, last, ends); break;
        case MIN: reduce_share(MIN, of, first, last, ends); break;
        case EXPONENTIALS: reduce_share(EXPONENTIALS, of, first, last, ends); break;
        case TIES: reduce_share(TIES, of, first, last, ends); break;
        default: reduce_share(PRODUCTS, of, first, last, ends);
    }
}

static void put_together(const Segments *of, const Ends *ends) {
    long channels = of->channels, op = of->operation;
    int64_t before = -1;
    for (int k = 0; k < of->threads; k++)
        for (int which = 0; which < 2; which++) {
            int64_t s = ends[k].segment[which];
            if (s < 0) continue;
            for (long c = 0; c < channels; c++) {
                real *to = of->out + s * channels + c, x = ends[k].found[which][c];
                if (s != before) *to = x;
                else if (op == MAX) *to = x > *to || x != x ? x : *to;
                else if (op == MIN) *to = x < *to || x != x ? x : *to;
                else *to += x;
            }
            before = s;
        }
}

/* Into an array of zeros, which empty segments keep. 0, or 1 without memory. */
int NAME(hepml_segment_reduce)(int64_t operation, int64_t segments, int64_t channels,
                               int64_t threads, const int64_t *offsets, const real *x,
                               const real *y, const real *row, real *out) {
    const Segments arguments = {operation, segments, channels, threads, offsets, x, y, row, NULL, out};
    const Segments *of = &arguments;
    const int64_t rows = offsets[segments], op = operation;
    Ends *ends = calloc(threads, sizeof(Ends));
    real *found = malloc(sizeof(real) * 2 * threads * channels);
    if (!ends || !found) {
        free(ends);
        free(found);
        return 1;
    }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int k = 0; k < threads; k++) {
        for (int which = 0; which < 2; which++) {
            ends[k].segment[which] = -1;
            ends[k].found[which] = found + (2 * k + which) * channels;
        }
        reduce_all(of, rows * k / threads, rows * (k + 1) / threads, ends + k);
    }
    put_together(of, ends);
    for (int64_t s = 0; op == MEAN && s < of->segments; s++) {
        real count = (real)(of->offsets[s + 1] - of->offsets[s]);
        for (long c = 0; c < channels && count > 0; c++) of->out[s * channels + c] /= count;
    }
    free(found);
    free(ends);
    return 0;
}

/* ---- what is done to each row with the numbers of its segment ---- */

enum { GATHER, SOFTMAX, SHARE_TIES, SOFTMAX_BACKWARD, SHARE_EXPONENTIALS, SHARE };

/* The row of the segment; exp(x - row) / other; other where x is row; x (y - row);
   exp(x - row) other; row / count. */
INLINE vec result(const int op, vec x, vec y, vec row, vec other) {
    switch (op) {
        case SOFTMAX: return exp_of(x - row) / other;
        case SHARE_TIES: return choose(x == row, other, spread(0));
        case SOFTMAX_BACKWARD: return x * (y - row);
        case SHARE_EXPONENTIALS: return exp_of(x - row) * other;
        case SHARE: return row / other;
        default: return row;
    }
}

INLINE void map_vector(const int op, const Segments *of, int64_t at, long n, vec row, vec other) {
    vec x = {0}, y = {0};
    if (n >= LANES) {
        if (op != GATHER && op != SHARE) x = load(of->x + at);
        if (op == SOFTMAX_BACKWARD) y = load(of->y + at);
        store(of->out + at, result(op, x, y, row, other));
    } else {
        if (op != GATHER && op != SHARE) x = load_part(of->x + at, n, x);
        if (op == SOFTMAX_BACKWARD) y = load_part(of->y + at, n, y);
        store_part(of->out + at, n, result(op, x, y, row, other));
    }
}

INLINE void map_share(const int op, const Segments *of, int64_t first, int64_t last) {
    long channels = of->channels;
    const int two = op == SOFTMAX || op == SHARE_TIES || op == SHARE_EXPONENTIALS;
    for (int64_t s = segment_of(of, first); s < of->segments && of->offsets[s] < last; s++) {
        int64_t start = of->offsets[s] < first ? first : of->offsets[s];
        int64_t end = least(of->offsets[s + 1], last) * channels;
        if (start * channels == end) continue;
        vec count = spread(of->offsets[s + 1] - of->offsets[s]);
        const real *row = of->row + s * channels, *other = two ? of->other + s * channels : row;
        if (channels >= LANES) {
            for (int64_t at = start * channels; at < end; at += channels)
                for (long c = 0; c < channels; c += LANES) {
                    /* The last vector overlaps the one before it. */
                    long from = least(c, channels - LANES);
                    map_vector(op, of, at + from, LANES, load(row + from),
                               op == SHARE ? count : load(other + from));
                }
            continue;
        }
        /* As they lie: every `period` vectors, a lane holds the same column again. */
        long period = LANES % channels ? channels : 1, v = 0;
        vec rows[LANES], others[LANES];
        fill(rows, period, row, channels);
        if (two) fill(others, period, other, channels);
        /* What the last vector of a segment writes beyond it, the next segment writes again. */
        for (int64_t at = start * channels; at < end; at += LANES) {
            map_vector(op, of, at, last * channels - at, rows[v], two ? others[v] : count);
            v = v + 1 == period ? 0 : v + 1;
        }
    }
}

/* Where large memory is new, it comes in pages of 2 MiB: the system takes longer to give many small
   ones than we to fill them. */
static void in_large_pages(real *out, int64_t numbers) {
#ifdef MADV_HUGEPAGE
    const uintptr_t page = 1 << 21;
    uintptr_t first = ((uintptr_t)out + page - 1) / page * page;
    uintptr_t last = (uintptr_t)(out + numbers) / page * page;
    if (last >= first + 8 * page) madvise((void *)first, last - first, MADV_HUGEPAGE);
#endif
}

int NAME(hepml_segment_map)(int64_t operation, int64_t segments, int64_t channels, int64_t threads,
                            const int64_t *offsets, const real *x, const real *y, const real *row,
                            const real *other, real *out) {
    const Segments arguments = {operation, segments, channels, threads, offsets, x, y, row, other, out};
    const Segments *of = &arguments;
    const int64_t rows = offsets[segments];
    in_large_pages(out, rows * channels);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int k = 0; k < threads; k++) {
        int64_t first = rows * k / threads, last = rows * (k + 1) / threads;
        switch (of->operation) {
            case GATHER: map_share(GATHER, of, first, last); break;
            case SOFTMAX: map_share(SOFTMAX, of, first, last); break;
            case SHARE_TIES: map_share(SHARE_TIES, of, first, last); break;
            case SOFTMAX_BACKWARD: map_share(SOFTMAX_BACKWARD, of, first, last); break;
            case SHARE: map_share(SHARE, of, first, last); break;
            default: map_share(SHARE_EXPONENTIALS, of, first, last);
        }
    }
    return 0;
}

#ifndef HEPML_DOUBLE
/* Whether bounds go from 0 to the number of items and never fall. */
int hepml_bounds_hold(const int64_t *offsets, int64_t bounds, int64_t items) {
    int64_t falls = 0;
    for (int64_t k = 1; k < bounds; k++) falls |= offsets[k] < offsets[k - 1];
    return bounds > 0 && offsets[0] == 0 && offsets[bounds - 1] == items && !falls;
}

/* Whether all places are from 0 to below the size. */
int hepml_index_holds(const int64_t *index, int64_t places, int64_t size) {
    int64_t outside = 0;
    for (int64_t k = 0; k < places; k++) outside |= (uint64_t)index[k] >= (uint64_t)size;
    return !outside;
}
#endif
