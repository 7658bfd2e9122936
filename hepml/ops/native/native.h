/* What the native kernels share: vectors of the machine, rows padded to whole vectors, functions
   that the compiler can vectorise. */
#ifndef HEPML_NATIVE_H
#define HEPML_NATIVE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a source computes with: float, or double where it is compiled a second time. */
#ifdef HEPML_DOUBLE
typedef double real;
typedef int64_t whole;
#else
typedef float real;
typedef int32_t whole;
#endif

/* The bytes of a vector, and the vectors that the sums of a matrix product occupy: all registers
   but those for the operands. */
#if defined(__AVX512F__)
enum { BYTES = 64, BLOCK_ROWS = 5 };
#define BLOCK_VECTORS 5
#elif defined(__AVX__)
enum { BYTES = 32, BLOCK_ROWS = 6 };
#define BLOCK_VECTORS 2
#elif defined(__aarch64__)
enum { BYTES = 16, BLOCK_ROWS = 5 };
#define BLOCK_VECTORS 5
#else
enum { BYTES = 16, BLOCK_ROWS = 6 };
#define BLOCK_VECTORS 2
#endif
enum { LANES = BYTES / sizeof(real) };

typedef real vec __attribute__((vector_size(BYTES)));
typedef whole ivec __attribute__((vector_size(BYTES)));
/* The same in memory that is aligned to numbers only. */
typedef real loose __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const real *x) { return *(const loose *)x; }
INLINE void store(real *x, vec y) { *(loose *)x = y; }
INLINE vec spread(real x) { return x - (vec){0}; }
INLINE long padded(long n) { return (n + LANES - 1) / LANES * LANES; }
INLINE long least(long a, long b) { return a < b ? a : b; }

/* A NaN stays. */
INLINE vec relu(vec x) { return (vec)((ivec)x & ~(x < 0)); }
INLINE vec where_positive(vec d, vec y) { return (vec)((ivec)d & ~(y <= 0)); }

INLINE vec choose(ivec mask, vec yes, vec no) {
    return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask));
}

/* The first n numbers, and others in the other lanes; nothing beyond is read. */
INLINE vec load_part(const real *x, long n, vec others) {
    real lanes[LANES];
    store(lanes, others);
    memcpy(lanes, x, sizeof(real) * n);
    return load(lanes);
}
INLINE void store_part(real *x, long n, vec y) {
    real lanes[LANES];
    store(lanes, y);
    memcpy(x, lanes, sizeof(real) * n);
}

/* The lanes turned by some, so that the first comes from lane `step`. */
INLINE vec turn(vec x, const int step) {
#if defined(__GNUC__) && !defined(__clang__)
    ivec from;
    for (int l = 0; l < LANES; l++) from[l] = (l + step) % LANES;
    return __builtin_shuffle(x, from);
#else
    real twice[2 * LANES];
    store(twice, x);
    store(twice + LANES, x);
    return load(twice + step);
#endif
}

INLINE real sum_lanes(vec x) {
#pragma GCC unroll 4
    for (int step = LANES / 2; step; step /= 2) x += turn(x, step);
    return x[0];
}

/* Which lanes are below a number. */
INLINE ivec below(long n) {
    ivec lane;
    for (int l = 0; l < LANES; l++) lane[l] = l;
    return lane < (whole)n;
}

/* exp(x) = 2^n exp(r), |r| <= ln(2) / 2: what the series leaves out is 5e-9 of it, in double 4e-18;
   0 where the result would be subnormal. */
INLINE vec exp_of(vec x) {
#ifdef HEPML_DOUBLE
    enum { TERMS = 14, MANTISSA = 52 };
    const real top = 709.782712893384, bottom = -708.3964185322641;
    const real rounder = 0x1.8p52, high = 0x1.62e42feep-1, low = 0x1.a39ef35793c76p-33;
#else
    enum { TERMS = 8, MANTISSA = 23 };
    const real top = 88.72283f, bottom = -87.33654f;
    const real rounder = 0x1.8p23f, high = 0.693359375f, low = -2.12194440e-4f;
#endif
    vec within = choose(x < bottom, spread(bottom), choose(x > top, spread(top), x));
    vec shifted = within * (real)1.44269504088896341 + rounder; /* rounds to an integer */
    ivec power = ((ivec)shifted - (ivec)spread(rounder)) << MANTISSA;
    vec n = shifted - rounder;
    vec r = within - n * high - n * low;
    const double inverse_factorials[] = {
        1, 1, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880,
        1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};
    vec y = spread(inverse_factorials[TERMS - 1]);
#pragma GCC unroll 16
    for (int k = TERMS - 2; k >= 0; k--) y = y * r + (real)inverse_factorials[k];
    y = choose(x < bottom, (vec){0}, (vec)((ivec)y + power));
    return choose(x > top, spread(INFINITY), choose(x == x, y, x));
}

#ifndef HEPML_DOUBLE
INLINE vec magnitude(vec x) { return (vec)((ivec)x & 0x7fffffff); }
INLINE vec with_sign(vec x, vec sign) { return (vec)((ivec)x | ((ivec)sign & ~0x7fffffff)); }
INLINE vec as_floats(ivec x) { return __builtin_convertvector(x, vec); }

/* ln(m 2^e) with m between 1/sqrt(2) and sqrt(2): e ln(2) + 2 artanh((m - 1) / (m + 1)), five terms
   of whose series leave out 1e-9. For positive normal numbers; infinity and NaN stay. */
INLINE vec log_of(vec x) {
    const int32_t low = 0x3f3504f3; /* 1 / sqrt(2) */
    ivec bits = (ivec)x - low;
    vec e = as_floats(bits >> 23);
    vec m = (vec)((bits & 0x7fffff) + low);
    vec s = (m - 1) / (m + 1), z = s * s;
    vec series = 1 + z * (1.f / 3 + z * (1.f / 5 + z * (1.f / 7 + z * (1.f / 9))));
    return choose(x < INFINITY, e * 0.693147181f + 2 * s * series, x);
}

/* ln(1 + x) for x >= 0; what is lost in 1 + x is made up for. */
INLINE vec log1p_of(vec x) {
    vec u = 1 + x, lost = x - (u - 1);
    return choose(x < INFINITY, log_of(u) + lost / u, x);
}

/* psi(x) = sign(x) ln(|x| + 1) */
INLINE vec psi_of(vec x) { return with_sign(log1p_of(magnitude(x)), x); }
#endif

/* |p - q|^2 and <p, q>, and p - q. */
INLINE void multiply_momenta(const double *p, const double *q, double *difference, double *square,
                             double *product) {
    for (int k = 0; k < 4; k++) difference[k] = p[k] - q[k];
    const double *d = difference;
    *square = d[0] * d[0] - d[1] * d[1] - d[2] * d[2] - d[3] * d[3];
    *product = p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3];
}

/* The first receiver of each thread, and the number of all: about as many pairs for each. */
static inline void share_receivers(const int64_t *offsets, int64_t sets, int64_t items,
                                   int64_t threads, int64_t *first) {
    int64_t pairs = 0, before = 0, part = 1;
    for (int64_t set = 0; set < sets; set++) {
        int64_t n = offsets[set + 1] - offsets[set];
        pairs += n * (n - 1);
    }
    first[0] = 0;
    for (int64_t set = 0; set < sets; set++) {
        int64_t n = offsets[set + 1] - offsets[set];
        for (int64_t i = offsets[set]; i < offsets[set + 1]; i++, before += n - 1)
            while (part < threads && before * threads >= part * pairs) first[part++] = i;
    }
    while (part <= threads) first[part++] = items;
}

#endif
