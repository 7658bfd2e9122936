/* Messages between all pairs of each set: the native kernel of hepml.ops.pair_messages.

   A thread takes receivers, and works on the pairs of some at a time, a tile that stays in its
   cache; backwards it works them out again. What it adds to weights and senders is its own and is
   summed at the end, so that sums are always taken in the same order. */
#include "native.h"

enum { TILE = 120, MOST = 16 }; /* rows of a tile, layers of a stack */
_Static_assert(TILE % BLOCK_ROWS == 0, "products write whole blocks of rows");

/* Linear layers: widths[k + 1] numbers out of widths[k], by weights[k] and biases[k]. */
typedef struct {
    int64_t layers;
    const int64_t *widths;
    const float *const *weights, *const *biases;
    float *const *d_weights, *const *d_biases;
} Stack;

typedef struct {
    int64_t items, sets, width, channels, threads;
    const int64_t *offsets;
    const float *a, *b;
    const double *p4; /* or none, where nothing needs it */
    const float *invariants;
    Stack layers, gate, step;
    float *received;
    double *moved;
    /* Of the backward pass. */
    const float *d_received;
    const double *d_moved;
    float *d_a, *d_b;
    double *d_p4;
    float *d_invariants;
} Arguments;

/* Not by d_received, which has no address where there are no channels. */
INLINE int is_backward(const Arguments *of) { return of->d_moved != NULL; }

/* ---- memory: one block, from which arrays are cut ---- */

typedef struct {
    char *block;
    size_t used;
} Arena;

/* The next numbers of the block, aligned; only counted where there is no block yet. */
static void *cut(Arena *arena, size_t bytes) {
    void *start = arena->block ? arena->block + arena->used : NULL;
    arena->used += (bytes + 127) / 64 * 64; /* and room to read a block of rows beyond the end */
    return start;
}
static float *cut_rows(Arena *arena, long rows, long columns) {
    return cut(arena, sizeof(float) * rows * padded(columns));
}
static void allocate(Arena *arena) {
    arena->block = aligned_alloc(64, arena->used);
    if (arena->block) memset(arena->block, 0, arena->used);
    arena->used = 0;
}

/* ---- matrix products ---- */

INLINE void multiply_block(const int rows, const int vectors, const float *x, long x_stride,
                           long depth, const float *w, long columns, const float *bias,
                           const float *mask, int rectify, float *y) {
    vec sum[BLOCK_ROWS][BLOCK_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = bias ? load(bias + v * LANES) : (vec){0};
    for (long k = 0; k < depth; k++) {
        vec right[BLOCK_VECTORS];
        for (int v = 0; v < vectors; v++) right[v] = load(w + k * columns + v * LANES);
        for (int r = 0; r < rows; r++) {
            vec left = spread(x[r * x_stride + k]);
            for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            vec out = sum[r][v];
            if (rectify) out = relu(out);
            if (mask) out = where_positive(out, load(mask + r * columns + v * LANES));
            store(y + r * columns + v * LANES, out);
        }
}

/* y = x w (+ bias), with a ReLU after it, or with 0 where a mask is not positive. Rows up to a whole
   block are written. */
static void multiply(const float *x, long x_stride, long rows, long depth, const float *w,
                     long columns, const float *bias, const float *mask, int rectify, float *y) {
    for (long c = 0; c < columns; c += BLOCK_VECTORS * LANES) {
        long vectors = least((columns - c) / LANES, BLOCK_VECTORS);
        for (long r = 0; r < rows; r += BLOCK_ROWS) {
            const float *x_r = x + r * x_stride, *b = bias ? bias + c : NULL;
            const float *m = mask ? mask + r * columns + c : NULL;
            float *y_r = y + r * columns + c;
#define CASE(n)                                                                               \
    case n:                                                                                   \
        multiply_block(BLOCK_ROWS, n, x_r, x_stride, depth, w + c, columns, b, m, rectify, y_r); \
        break;
            switch (vectors) {
                CASE(1) CASE(2)
#if BLOCK_VECTORS > 2
                CASE(3) CASE(4) CASE(5)
#endif
            }
#undef CASE
        }
    }
}

INLINE void outer_block(const int vectors, long rows, const float *d, long d_stride, const float *x,
                        long x_stride, long wanted, float *sum, long stride) {
    vec total[BLOCK_ROWS][BLOCK_VECTORS] = {0};
    for (long r = 0; r < rows; r++) {
        vec right[BLOCK_VECTORS];
        for (int v = 0; v < vectors; v++) right[v] = load(x + r * x_stride + v * LANES);
        for (int n = 0; n < BLOCK_ROWS; n++) {
            vec left = spread(d[r * d_stride + n]);
            for (int v = 0; v < vectors; v++) total[n][v] += left * right[v];
        }
    }
    for (int n = 0; n < BLOCK_ROWS; n++)
        for (int v = 0; v < vectors; v++)
            if (n < wanted) {
                float *at = sum + n * stride + v * LANES;
                store(at, load(at) + total[n][v]);
            }
}

/* sum += d^T x: (outputs, columns of x). */
static void add_outer(const float *d, long outputs, const float *x, long columns, long rows,
                      float *sum) {
    for (long c = 0; c < columns; c += BLOCK_VECTORS * LANES) {
        long vectors = least((columns - c) / LANES, BLOCK_VECTORS);
        for (long n = 0; n < outputs; n += BLOCK_ROWS) {
            float *at = sum + n * columns + c;
#define CASE(count)                                                                              \
    case count:                                                                                  \
        outer_block(count, rows, d + n, padded(outputs), x + c, columns, outputs - n, at, columns); \
        break;
            switch (vectors) {
                CASE(1) CASE(2)
#if BLOCK_VECTORS > 2
                CASE(3) CASE(4) CASE(5)
#endif
            }
#undef CASE
        }
    }
}

static float dot(const float *x, const float *y, long stride) {
    vec sum = {0};
    for (long c = 0; c < stride; c += LANES) sum += load(x + c) * load(y + c);
    return sum_lanes(sum);
}
/* sum += the rows of x, each times its weight, or as they are. */
static void add_rows(const float *weights, const float *x, long stride, long rows, float *sum) {
    for (long c = 0; c < stride; c += LANES) {
        vec total = {0};
        if (weights)
            for (long r = 0; r < rows; r++) total += weights[r] * load(x + r * stride + c);
        else
            for (long r = 0; r < rows; r++) total += load(x + r * stride + c);
        store(sum + c, load(sum + c) + total);
    }
}
/* y += s x */
static void add_scaled(float *y, float s, const float *x, long stride) {
    for (long c = 0; c < stride; c += LANES) store(y + c, load(y + c) + s * load(x + c));
}

/* ---- a stack with its weights padded, both ways round ---- */

typedef struct {
    long layers, widths[MOST + 1];
    float *across[MOST]; /* (inputs, padded outputs): forward */
    float *weight[MOST]; /* (outputs, padded inputs): backward */
    float *bias[MOST];
} Padded;

static void pad_stack(Arena *arena, const Stack *of, Padded *to) {
    to->layers = of->layers;
    for (long k = 0; k <= of->layers; k++) to->widths[k] = of->layers ? of->widths[k] : 0;
    for (long k = 0; k < of->layers; k++) {
        long inputs = of->widths[k], outputs = of->widths[k + 1];
        to->across[k] = cut_rows(arena, inputs, outputs);
        to->weight[k] = cut_rows(arena, outputs, inputs);
        to->bias[k] = cut_rows(arena, 1, outputs);
        if (!arena->block) continue;
        memcpy(to->bias[k], of->biases[k], sizeof(float) * outputs);
        for (long n = 0; n < outputs; n++)
            for (long i = 0; i < inputs; i++) {
                float w = of->weights[k][n * inputs + i];
                to->across[k][i * padded(outputs) + n] = w;
                to->weight[k][n * padded(inputs) + i] = w;
            }
    }
}

/* What all threads read: rows padded to whole vectors. */
typedef struct {
    Arena arena;
    float *a, *b, *invariants[2], *d_received;
    Padded layers, gate, step;
} Shared;

static float *pad_rows(Arena *arena, const float *x, long rows, long columns) {
    float *y = cut_rows(arena, rows, columns);
    if (y && x)
        for (long r = 0; r < rows; r++)
            memcpy(y + r * padded(columns), x + r * columns, sizeof(float) * columns);
    return y;
}

static void plan_shared(const Arguments *of, Shared *s) {
    s->a = pad_rows(&s->arena, of->a, of->items, of->width);
    s->b = pad_rows(&s->arena, of->b, of->items, of->width);
    if (is_backward(of))
        s->d_received = pad_rows(&s->arena, of->d_received, of->items, of->channels);
    for (int k = 0; k < 2; k++) {
        s->invariants[k] = cut_rows(&s->arena, 1, of->width);
        if (s->arena.block && of->invariants)
            for (long c = 0; c < of->width; c++)
                s->invariants[k][c] = of->invariants[2 * c + k];
    }
    pad_stack(&s->arena, &of->layers, &s->layers);
    pad_stack(&s->arena, &of->gate, &s->gate);
    pad_stack(&s->arena, &of->step, &s->step);
}

/* ---- a tile ---- */

typedef struct {
    Arena arena;
    long rows;
    int64_t receiver[TILE], sender[TILE];
    double difference[TILE][4], square[TILE], product[TILE];
    /* To whole vectors of rows. */
    float s[2][TILE + LANES], gate[TILE + LANES];
    float c[TILE], d_c[TILE], d_logit[TILE], d_s[2][TILE];
    float *hidden[MOST + 1], *steps[MOST + 1], *d, *e; /* rows after each ReLU, and gradients */
    /* The sums of this thread. */
    float *received, *d_a, *d_b, *d_invariants[2];
    float *d_layers[MOST], *d_layers_bias[MOST], *d_gate, *d_step[MOST], *d_step_bias[MOST];
    double d_gate_bias, d_step_last_bias, *moved, *d_p4;
} Tile;

static void plan_stack(Arena *arena, const Padded *of, float **d_weights, float **d_biases) {
    for (long k = 0; k < of->layers; k++) {
        d_weights[k] = cut_rows(arena, of->widths[k + 1], of->widths[k]);
        d_biases[k] = cut_rows(arena, 1, of->widths[k + 1]);
    }
}

static void plan_tile(const Arguments *of, const Shared *s, Tile *t) {
    int backward = is_backward(of);
    Arena *arena = &t->arena;
    long widest = of->width;
    t->hidden[0] = cut_rows(arena, TILE, of->width);
    for (long k = 0; k < s->layers.layers; k++) {
        long width = s->layers.widths[k + 1];
        widest = width > widest ? width : widest;
        t->hidden[k + 1] = cut_rows(arena, TILE, width);
    }
    /* Forward, the gate works in place. */
    float *last = t->hidden[s->layers.layers];
    t->steps[0] = backward && s->gate.layers ? cut_rows(arena, TILE, of->channels) : last;
    for (long k = 0; k + 1 < s->step.layers; k++) {
        long width = s->step.widths[k + 1];
        widest = width > widest ? width : widest;
        t->steps[k + 1] = cut_rows(arena, TILE, width);
    }
    if (!backward) return;
    t->d = cut_rows(arena, TILE, widest);
    t->e = cut_rows(arena, TILE, widest);
    t->d_b = cut_rows(arena, of->items, of->width);
    for (int k = 0; k < 2; k++) t->d_invariants[k] = cut_rows(arena, 1, of->width);
    t->d_gate = cut_rows(arena, 1, of->channels);
    t->d_p4 = cut(arena, sizeof(double) * 4 * of->items);
    plan_stack(arena, &s->layers, t->d_layers, t->d_layers_bias);
    plan_stack(arena, &s->step, t->d_step, t->d_step_bias);
}

static void find_momenta(const Arguments *of, Tile *t) {
    if (!of->p4) return;
    for (long r = 0; r < t->rows; r++) {
        const double *p = of->p4 + 4 * t->receiver[r], *q = of->p4 + 4 * t->sender[r];
        multiply_momenta(p, q, t->difference[r], t->square + r, t->product + r);
    }
    for (long r = 0; r < t->rows; r++) {
        t->s[0][r] = (float)t->square[r];
        t->s[1][r] = (float)t->product[r];
    }
    for (int k = 0; k < 2; k++)
        for (long r = 0; r < t->rows; r += LANES) store(t->s[k] + r, psi_of(load(t->s[k] + r)));
}

static void find_messages(const Arguments *of, const Shared *s, Tile *t) {
    long stride = padded(of->width), rows = t->rows;
    find_momenta(of, t);
    for (long r = 0; r < rows; r++) {
        const float *a = s->a + stride * t->receiver[r], *b = s->b + stride * t->sender[r];
        float *to = t->hidden[0] + stride * r;
        if (of->invariants)
            for (long c = 0; c < stride; c += LANES)
                store(to + c, relu(load(a + c) + load(b + c) +
                                   t->s[0][r] * load(s->invariants[0] + c) +
                                   t->s[1][r] * load(s->invariants[1] + c)));
        else
            for (long c = 0; c < stride; c += LANES) store(to + c, relu(load(a + c) + load(b + c)));
    }
    const Padded *layers = &s->layers, *step = &s->step;
    for (long k = 0; k < layers->layers; k++)
        multiply(t->hidden[k], padded(layers->widths[k]), rows, layers->widths[k],
                 layers->across[k], padded(layers->widths[k + 1]), layers->bias[k], NULL, 1,
                 t->hidden[k + 1]);
    stride = padded(of->channels);
    if (s->gate.layers) {
        float *m = t->hidden[layers->layers];
        for (long r = 0; r < rows; r++)
            t->gate[r] = dot(m + r * stride, s->gate.weight[0], stride) + s->gate.bias[0][0];
        for (long r = 0; r < rows; r += LANES)
            store(t->gate + r, 1 / (1 + exp_of(-load(t->gate + r))));
        for (long r = 0; r < rows; r++)
            for (long c = 0; c < stride; c += LANES)
                store(t->steps[0] + r * stride + c, t->gate[r] * load(m + r * stride + c));
    }
    if (!step->layers) return;
    long last = step->layers - 1;
    for (long k = 0; k < last; k++)
        multiply(t->steps[k], padded(step->widths[k]), rows, step->widths[k], step->across[k],
                 padded(step->widths[k + 1]), step->bias[k], NULL, 1, t->steps[k + 1]);
    stride = padded(step->widths[last]);
    for (long r = 0; r < rows; r++)
        t->c[r] = dot(t->steps[last] + r * stride, step->weight[last], stride) + step->bias[last][0];
}

static void forward(const Arguments *of, const Shared *s, Tile *t) {
    long stride = padded(of->channels);
    find_messages(of, s, t);
    for (long r = 0; r < t->rows; r++) {
        const float *sent = t->steps[0] + r * stride;
        float *to = t->received + stride * t->receiver[r];
        for (long c = 0; c < stride; c += LANES) store(to + c, load(to + c) + load(sent + c));
    }
    if (s->step.layers)
        for (long r = 0; r < t->rows; r++)
            for (int k = 0; k < 4; k++)
                t->moved[4 * t->receiver[r] + k] += (double)t->c[r] * t->difference[r][k];
}

/* ---- backwards ---- */

static void swap(Tile *t) {
    float *d = t->d;
    t->d = t->e;
    t->e = d;
}

/* From the gradient after the last ReLU of some layers, which has passed it, in t->d, to that for
   their input, which passes the ReLU before it if there is one. */
static void stack_backward(const Padded *of, long layers, float **rows, int first_rectified,
                           float **d_weights, float **d_biases, Tile *t) {
    for (long k = layers - 1; k >= 0; k--) {
        long inputs = of->widths[k], outputs = of->widths[k + 1], stride = padded(outputs);
        add_rows(NULL, t->d, stride, t->rows, d_biases[k]);
        add_outer(t->d, outputs, rows[k], padded(inputs), t->rows, d_weights[k]);
        multiply(t->d, stride, t->rows, outputs, of->weight[k], padded(inputs), NULL,
                 k || first_rectified ? rows[k] : NULL, 0, t->e);
        swap(t);
    }
}

/* The gradient for the message that was sent, in t->d. */
static void step_backward(const Arguments *of, const Shared *s, Tile *t) {
    const Padded *step = &s->step;
    long last = step->layers - 1, stride = padded(step->widths[last]), rows = t->rows;
    const float *weight = step->weight[last];
    for (long r = 0; r < rows; r++) {
        const double *d = of->d_moved + 4 * t->receiver[r];
        double sum = 0;
        for (int k = 0; k < 4; k++) sum += d[k] * t->difference[r][k];
        t->d_c[r] = (float)sum;
        t->d_step_last_bias += t->d_c[r];
    }
    add_rows(t->d_c, t->steps[last], stride, rows, t->d_step[last]);
    for (long r = 0; r < rows; r++) {
        const float *x = t->steps[last] + r * stride;
        for (long c = 0; c < stride; c += LANES) {
            vec d = t->d_c[r] * load(weight + c);
            store(t->d + r * stride + c, last ? where_positive(d, load(x + c)) : d);
        }
    }
    stack_backward(step, last, t->steps, 0, t->d_step, t->d_step_bias, t);
}

static void momenta_backward(const Arguments *of, const Shared *s, Tile *t) {
    for (long r = 0; r < t->rows; r++) {
        const double *p = of->p4 + 4 * t->receiver[r], *q = of->p4 + 4 * t->sender[r];
        double *d_p = t->d_p4 + 4 * t->receiver[r], *d_q = t->d_p4 + 4 * t->sender[r];
        double d_square = t->d_s[0][r] / (1 + fabs(t->square[r]));
        double d_product = t->d_s[1][r] / (1 + fabs(t->product[r]));
        for (int k = 0; k < 4; k++) {
            double sign = k ? -1 : 1;
            double d = 2 * sign * d_square * t->difference[r][k];
            if (s->step.layers) d += (double)t->c[r] * of->d_moved[4 * t->receiver[r] + k];
            d_p[k] += d + sign * d_product * q[k];
            d_q[k] += sign * d_product * p[k] - d;
        }
    }
}

static void backward(const Arguments *of, const Shared *s, Tile *t) {
    long stride = padded(of->channels), rows = t->rows, layers = s->layers.layers;
    find_messages(of, s, t);
    if (s->step.layers) step_backward(of, s, t);
    for (long r = 0; r < rows; r++) {
        /* The message before its gate; the sum and its step read what was sent. */
        const float *m = t->hidden[layers] + r * stride;
        const float *d_sent = s->d_received + stride * t->receiver[r];
        float *d = t->d + r * stride;
        if (s->step.layers) add_scaled(d, 1, d_sent, stride);
        else memcpy(d, d_sent, sizeof(float) * stride);
        if (s->gate.layers) {
            float g = t->gate[r], d_logit = dot(d, m, stride) * g * (1 - g);
            t->d_logit[r] = d_logit;
            t->d_gate_bias += d_logit;
            for (long c = 0; c < stride; c += LANES)
                store(d + c, g * load(d + c) + d_logit * load(s->gate.weight[0] + c));
        }
        for (long c = 0; c < stride; c += LANES)
            store(d + c, where_positive(load(d + c), load(m + c)));
    }
    if (s->gate.layers) add_rows(t->d_logit, t->hidden[layers], stride, rows, t->d_gate);
    stack_backward(&s->layers, layers, t->hidden, 1, t->d_layers, t->d_layers_bias, t);
    stride = padded(of->width);
    for (long r = 0; r < rows; r++) {
        const float *d = t->d + r * stride;
        add_scaled(t->d_a + stride * t->receiver[r], 1, d, stride);
        add_scaled(t->d_b + stride * t->sender[r], 1, d, stride);
    }
    for (int k = 0; k < 2 && of->invariants; k++) {
        add_rows(t->s[k], t->d, stride, rows, t->d_invariants[k]);
        for (long r = 0; r < rows; r++)
            t->d_s[k][r] = dot(t->d + r * stride, s->invariants[k], stride);
    }
    if (of->p4) momenta_backward(of, s, t);
}

/* ---- threads ---- */

static void work(const Arguments *of, const Shared *s, Tile *t, int64_t first, int64_t last) {
    void (*run)(const Arguments *, const Shared *, Tile *) = is_backward(of) ? backward : forward;
    t->rows = 0;
    for (long set = 0; set < of->sets; set++) {
        int64_t start = of->offsets[set], end = of->offsets[set + 1];
        for (int64_t i = start > first ? start : first; i < least(end, last); i++)
            for (int64_t j = start; j < end; j++) {
                if (i == j) continue;
                t->receiver[t->rows] = i;
                t->sender[t->rows++] = j;
                if (t->rows == TILE) {
                    run(of, s, t);
                    t->rows = 0;
                }
            }
    }
    if (t->rows) run(of, s, t);
}

static void collect(float *into, const float *from, long rows, long columns) {
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) into[r * columns + c] += from[r * padded(columns) + c];
}
static void collect_stack(const Stack *into, float **d_weights, float **d_biases) {
    for (long k = 0; k < into->layers; k++) {
        collect(into->d_weights[k], d_weights[k], into->widths[k + 1], into->widths[k]);
        collect(into->d_biases[k], d_biases[k], 1, into->widths[k + 1]);
    }
}

static void collect_gradients(const Arguments *of, Tile *t) {
    collect(of->d_b, t->d_b, of->items, of->width);
    for (long i = 0; i < 4 * of->items; i++) of->d_p4[i] += t->d_p4[i];
    if (of->invariants)
        for (long c = 0; c < of->width; c++)
            for (int k = 0; k < 2; k++) of->d_invariants[2 * c + k] += t->d_invariants[k][c];
    collect_stack(&of->layers, t->d_layers, t->d_layers_bias);
    collect_stack(&of->step, t->d_step, t->d_step_bias);
    if (of->gate.layers) {
        collect(of->gate.d_weights[0], t->d_gate, 1, of->channels);
        *of->gate.d_biases[0] += (float)t->d_gate_bias;
    }
    if (of->step.layers) *of->step.d_biases[of->step.layers - 1] += (float)t->d_step_last_bias;
}

/* Forward without d_moved, else backward; into arrays of zeros. 0, or 1 without memory. */
int hepml_pair_messages(const Arguments *of) {
    int threads = (int)of->threads, failed = 0;
    int backward = is_backward(of);
    long columns = backward ? of->width : of->channels;
    Shared shared = {0};
    plan_shared(of, &shared);
    float *result = cut_rows(&shared.arena, of->items, columns);
    allocate(&shared.arena);
    Tile *tiles = calloc(threads, sizeof(Tile));
    int64_t *first = calloc(threads + 1, sizeof(int64_t));
    failed = !shared.arena.block || !tiles || !first;
    if (!failed) {
        plan_shared(of, &shared);
        result = cut_rows(&shared.arena, of->items, columns);
        share_receivers(of->offsets, of->sets, of->items, threads, first);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
        for (int k = 0; k < threads; k++) {
            Tile *t = tiles + k;
            plan_tile(of, &shared, t);
            allocate(&t->arena);
            if (!t->arena.block) continue;
            plan_tile(of, &shared, t);
            t->received = t->d_a = result; /* of its own receivers */
            t->moved = of->moved;
            work(of, &shared, t, first[k], first[k + 1]);
        }
        for (int k = 0; k < threads; k++) failed |= !tiles[k].arena.block;
        collect(backward ? of->d_a : of->received, result, of->items, columns);
        for (int k = 0; backward && k < threads && !failed; k++) collect_gradients(of, tiles + k);
    }
    for (int k = 0; tiles && k < threads; k++) free(tiles[k].arena.block);
    free(shared.arena.block);
    free(tiles);
    free(first);
    return failed;
}
