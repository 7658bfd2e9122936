/* Nearest neighbours and neighbours within a distance: native kernels of hepml.ops.

   Each set has a tree of its own: its points are divided in halves, along the dimension in which
   they spread most, until a few are left. The tree has no pointers: node 1 has the children 2 and
   3, and so on, and the half of a range of points is where the range is divided. A search goes down
   the nearer half first, and leaves out nodes that cannot hold what is closer. It compares squared
   distances as the definition computes them, so that ties fall alike; the boxes of the nodes only
   say where not to look, with room for rounding. */
#include "native.h"

enum { LEAF = 8, DIMENSIONS = 8, DEEPEST = 64 };

/* The points of all sets, the same in the order of the trees, and within one period, for boxes. */
typedef struct {
    const double *points;
    const double *sorted;
    const double *wrapped;
    const double *period;
    int dimensions;
} Space;

/* A tree: the order of its points, and for each node the box and the least number of its points. */
typedef struct {
    int64_t *order;
    double *boxes;
    int64_t *least;
    int64_t first, size;
    double slack;
} Tree;

/* Without a thought for NaN, which is refused before: fmax and fmin are calls. */
INLINE double larger(double a, double b) { return a > b ? a : b; }
INLINE double smaller(double a, double b) { return a < b ? a : b; }

static int depth_of(int64_t size) {
    int depth = 0;
    while (size > LEAF) {
        size = (size + 1) / 2;
        depth++;
    }
    return depth;
}

int64_t hepml_nodes_of(int64_t size) { return (int64_t)2 << depth_of(size); }

INLINE double squared_distance(const Space *space, const double *a, const double *b) {
    double sum = 0;
    for (int k = 0; k < space->dimensions; k++) {
        double d = a[k] - b[k];
        if (space->period[k] > 0)
            d -= space->period[k] * rint(d / space->period[k]);
        sum += d * d;
    }
    return sum;
}

/* No distance from a point to the points of a box is smaller, squared. */
INLINE double least_distance(const Space *space, const double *x, const double *box, double slack) {
    double sum = 0;
    for (int k = 0; k < space->dimensions; k++) {
        double low = box[2 * k], high = box[2 * k + 1], d = larger(larger(low - x[k], x[k] - high), 0);
        if (space->period[k] > 0 && d > 0) {
            double up = low - (x[k] - space->period[k]), down = x[k] + space->period[k] - high;
            d = larger(smaller(d, smaller(up, down)), 0);
        }
        d = larger(d - slack, 0);
        sum += d * d;
    }
    return sum * (1 - 1e-12);
}

INLINE int before(const Space *space, int k, int64_t i, int64_t j) {
    double a = space->wrapped[i * space->dimensions + k];
    double b = space->wrapped[j * space->dimensions + k];
    return a < b || (a == b && i < j);
}

/* Put the point of the given rank where it belongs, smaller ones before it and larger ones behind. */
static void divide(const Space *space, int k, int64_t *order, int64_t size, int64_t rank) {
    int64_t low = 0, high = size - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
#define SWAP(a, b) do { int64_t t = order[a]; order[a] = order[b]; order[b] = t; } while (0)
        if (before(space, k, order[middle], order[low])) SWAP(middle, low);
        if (before(space, k, order[high], order[low])) SWAP(high, low);
        if (before(space, k, order[high], order[middle])) SWAP(high, middle);
        int64_t pivot = order[middle], i = low, j = high;
        while (i <= j) {
            while (before(space, k, order[i], pivot)) i++;
            while (before(space, k, pivot, order[j])) j--;
            if (i <= j) {
                SWAP(i, j);
                i++;
                j--;
            }
        }
        if (rank <= j) high = j;
        else if (rank >= i) low = i;
        else return;
#undef SWAP
    }
}

static void build(const Space *space, Tree *tree, int64_t node, int64_t low, int64_t high) {
    double *box = tree->boxes + node * 2 * space->dimensions;
    int widest = 0;
    double extent = -1;
    int64_t least = INT64_MAX;
    for (int64_t i = low; i < high; i++)
        if (tree->order[i] < least) least = tree->order[i];
    for (int k = 0; k < space->dimensions; k++) {
        double from = INFINITY, to = -INFINITY;
        for (int64_t i = low; i < high; i++) {
            double x = space->wrapped[tree->order[i] * space->dimensions + k];
            from = smaller(from, x);
            to = larger(to, x);
        }
        box[2 * k] = from;
        box[2 * k + 1] = to;
        if (to - from > extent) {
            extent = to - from;
            widest = k;
        }
    }
    tree->least[node] = least;
    if (high - low <= LEAF) return;
    int64_t middle = low + (high - low + 1) / 2;
    divide(space, widest, tree->order + low, high - low, middle - low);
    build(space, tree, 2 * node, low, middle);
    build(space, tree, 2 * node + 1, middle, high);
}

typedef struct {
    int64_t node, low, high;
    double distance;
} Visit;

/* The best so far, nearest first, and among equals the first. */
typedef struct {
    double *distances;
    int64_t *points;
    int64_t count, wanted;
} Best;

INLINE int closer(double a, int64_t i, double b, int64_t j) { return a < b || (a == b && i < j); }

INLINE void offer(Best *best, double distance, int64_t point) {
    int64_t at = best->count;
    if (at == best->wanted) {
        if (!closer(distance, point, best->distances[at - 1], best->points[at - 1])) return;
        at--;
    } else {
        best->count++;
    }
    while (at > 0 && closer(distance, point, best->distances[at - 1], best->points[at - 1])) {
        best->distances[at] = best->distances[at - 1];
        best->points[at] = best->points[at - 1];
        at--;
    }
    best->distances[at] = distance;
    best->points[at] = point;
}

/* The children of a visited node onto the stack, the nearer on top. */
INLINE int descend(const Space *space, const Tree *tree, const double *x, Visit at, Visit *stack,
                   int top) {
    int64_t middle = at.low + (at.high - at.low + 1) / 2;
    Visit left = {2 * at.node, at.low, middle, 0}, right = {2 * at.node + 1, middle, at.high, 0};
    int width = 2 * space->dimensions;
    left.distance = least_distance(space, x, tree->boxes + left.node * width, tree->slack);
    right.distance = least_distance(space, x, tree->boxes + right.node * width, tree->slack);
    int first = closer(left.distance, tree->least[left.node], right.distance,
                       tree->least[right.node]);
    stack[top++] = first ? right : left;
    stack[top++] = first ? left : right;
    return top;
}

static void nearest_to(const Space *space, const Tree *tree, int64_t point, int loops, Best *best) {
    const double *x = space->wrapped + point * space->dimensions;
    const double *a = space->points + point * space->dimensions;
    Visit stack[2 * DEEPEST] = {{1, 0, tree->size, 0}};
    int top = 1;
    while (top) {
        Visit at = stack[--top];
        if (best->count == best->wanted &&
            !closer(at.distance, tree->least[at.node], best->distances[best->count - 1],
                    best->points[best->count - 1]))
            continue;
        if (at.high - at.low > LEAF) {
            top = descend(space, tree, x, at, stack, top);
            continue;
        }
        const double *b = space->sorted + (tree->first + at.low) * space->dimensions;
        for (int64_t i = at.low; i < at.high; i++, b += space->dimensions)
            if (loops || tree->order[i] != point)
                offer(best, squared_distance(space, a, b), tree->order[i]);
    }
}

/* How many points are within a distance; where there is room, which. */
static int64_t within(const Space *space, const Tree *tree, int64_t point, int loops, double limit,
                      int64_t *found) {
    const double *x = space->wrapped + point * space->dimensions;
    const double *a = space->points + point * space->dimensions;
    Visit stack[2 * DEEPEST] = {{1, 0, tree->size, 0}};
    int64_t count = 0;
    int top = 1;
    while (top) {
        Visit at = stack[--top];
        if (at.distance > limit) continue;
        if (at.high - at.low > LEAF) {
            top = descend(space, tree, x, at, stack, top);
            continue;
        }
        const double *b = space->sorted + (tree->first + at.low) * space->dimensions;
        for (int64_t i = at.low; i < at.high; i++, b += space->dimensions) {
            int64_t other = tree->order[i];
            if ((!loops && other == point) || squared_distance(space, a, b) > limit)
                continue;
            if (found) found[count] = other;
            count++;
        }
    }
    return count;
}

static int rising(const void *a, const void *b) {
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    return (i > j) - (i < j);
}

INLINE Tree tree_of(const Space *space, const int64_t *offsets, const int64_t *nodes, int64_t set,
                    int64_t *order, double *boxes, int64_t *least, double slack) {
    return (Tree){order + offsets[set],
                  boxes + nodes[set] * 2 * space->dimensions,
                  least + nodes[set],
                  offsets[set],
                  offsets[set + 1] - offsets[set],
                  slack};
}

/* Make the trees of all sets, in the arrays given, and put the points into their order. */
void hepml_edges_build(int64_t sets, int64_t dimensions, int64_t threads, const int64_t *offsets,
                       const int64_t *nodes, const double *points, const double *wrapped,
                       const double *period, int64_t *order, double *boxes, int64_t *least,
                       double *sorted) {
    Space space = {points, sorted, wrapped, period, (int)dimensions};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int64_t set = 0; set < sets; set++) {
        Tree tree = tree_of(&space, offsets, nodes, set, order, boxes, least, 0);
        for (int64_t i = 0; i < tree.size; i++) tree.order[i] = offsets[set] + i;
        if (tree.size) build(&space, &tree, 1, 0, tree.size);
        for (int64_t i = 0; i < tree.size; i++)
            memcpy(sorted + (offsets[set] + i) * dimensions, points + tree.order[i] * dimensions,
                   (size_t)dimensions * sizeof(double));
    }
}

/* The nearest of each point, between its bounds in out; 1 if there is no memory. */
int hepml_edges_nearest(int64_t items, int64_t dimensions, int64_t threads, int64_t loops,
                        double slack, const int64_t *offsets, const int64_t *nodes,
                        const int64_t *set_of, const double *points, const double *sorted,
                        const double *wrapped, const double *period, int64_t *order,
                        double *boxes, int64_t *least, const int64_t *bounds, int64_t *out) {
    Space space = {points, sorted, wrapped, period, (int)dimensions};
    int64_t most = 0;
    for (int64_t i = 0; i < items; i++)
        if (bounds[i + 1] - bounds[i] > most) most = bounds[i + 1] - bounds[i];
    int failed = 0;
#pragma omp parallel num_threads(threads)
    {
        double *distances = malloc((size_t)(most ? most : 1) * sizeof(double));
        if (!distances) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 64)
        for (int64_t place = 0; place < items; place++) {
            /* Neighbours after one another find the same nodes in the cache. */
            int64_t i = order[place];
            Best best = {distances, out + bounds[i], 0, bounds[i + 1] - bounds[i]};
            if (!distances || !best.wanted) continue;
            Tree tree = tree_of(&space, offsets, nodes, set_of[i], order, boxes, least, slack);
            nearest_to(&space, &tree, i, (int)loops, &best);
        }
        free(distances);
    }
    return failed;
}

/* Those within a distance of each point: how many into counts, or which between the bounds. */
void hepml_edges_within(int64_t items, int64_t dimensions, int64_t threads, int64_t loops,
                        double limit, double slack, const int64_t *offsets, const int64_t *nodes,
                        const int64_t *set_of, const double *points, const double *sorted,
                        const double *wrapped, const double *period, int64_t *order,
                        double *boxes, int64_t *least, const int64_t *bounds, int64_t *out) {
    Space space = {points, sorted, wrapped, period, (int)dimensions};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 64)
    for (int64_t place = 0; place < items; place++) {
        int64_t i = order[place];
        Tree tree = tree_of(&space, offsets, nodes, set_of[i], order, boxes, least, slack);
        int64_t *found = bounds ? out + bounds[i] : NULL;
        int64_t count = within(&space, &tree, i, (int)loops, limit, found);
        if (!bounds) out[i] = count;
        else if (count) qsort(found, (size_t)count, sizeof(int64_t), rising);
    }
}
