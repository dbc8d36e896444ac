// The losses and their gradients as bare loops in C, as fast as a compiler can make them that may
// reorder sums and ignore NaN, with the vector functions of glibc, which are within 4 ulp: no
// checks, no weights, no reductions but the mean. What a kernel can be held to in the cache:
// `LOSS ELEMENTS ROW THREADS` asks for a round on one thread and gets nanoseconds per element.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1 << 16, ROUND_NS = 20000000 };

// Predictions, targets and a third input; logits, probabilities; labels; gradients.
static float x[MOST], t[MOST], third[MOST], p[MOST], q[MOST], yes[MOST], g[3 * MOST];

#define ELEMENTWISE(name, body)                                    \
  static double name(int n, int row, float k) {                    \
    double sum = 0;                                                \
    (void)row;                                                     \
    for (int i = 0; i < n; i++) {                                  \
      body                                                         \
    }                                                              \
    return sum;                                                    \
  }

ELEMENTWISE(mse, float d = x[i] - t[i]; sum += d * d; g[i] = 2 * k * d;)
ELEMENTWISE(l1, float d = x[i] - t[i]; sum += fabsf(d); g[i] = d > 0 ? k : d < 0 ? -k : 0;)
ELEMENTWISE(huber, float d = x[i] - t[i]; float held = d < -1 ? -1 : d > 1 ? 1 : d;
            sum += held * (d - 0.5f * held); g[i] = k * held;)
ELEMENTWISE(binary_cross_entropy, float y = q[i];
            sum -= y * logf(p[i]) + (1 - y) * logf(1 - p[i]);
            g[i] = k * (p[i] - y) / (p[i] * (1 - p[i]));)
ELEMENTWISE(binary_cross_entropy_with_logits, float e = expf(-fabsf(x[i])); float y = q[i];
            sum += fmaxf(x[i], 0) - x[i] * y + log1pf(e);
            float share = 1 / (1 + e); g[i] = k * ((x[i] < 0 ? e * share : share) - y);)
ELEMENTWISE(sigmoid_focal, float e = expf(-fabsf(x[i])); float y = yes[i];
            float share = 1 / (1 + e); float s = x[i] < 0 ? e * share : share;
            float entropy = fmaxf(x[i], 0) - x[i] * y + log1pf(e);
            float wrong = y + s - 2 * y * s; float weight = 0.75f - 0.5f * y;
            sum += weight * wrong * wrong * entropy;
            g[i] = k * weight * wrong *
                   (wrong * (s - y) - 2 * s * (1 - s) * (2 * y - 1) * entropy);)
ELEMENTWISE(kl_div, sum += q[i] * (logf(q[i]) - x[i]); g[i] = -k * q[i];)

static double triplet_margin(int n, int row, float k) {
  double sum = 0;
  int third_of_all = n / 3;
  for (int at = 0; at + row <= third_of_all; at += row) {
    const float *a = x + at, *near = t + at, *far = third + at;
    float *slope = g + at;
    float squares_near = 0, squares_far = 0;
    for (int j = 0; j < row; j++) {
      float u = a[j] - near[j] + 1e-6f, v = a[j] - far[j] + 1e-6f;
      squares_near += u * u;
      squares_far += v * v;
    }
    float to_near = sqrtf(squares_near), to_far = sqrtf(squares_far);
    float active = to_near - to_far + 1 > 0;
    sum += active * (to_near - to_far + 1);
    float pull = k * active / to_near, push = k * active / to_far;
    for (int j = 0; j < row; j++) {
      float u = (a[j] - near[j] + 1e-6f) * pull, v = (a[j] - far[j] + 1e-6f) * push;
      slope[j] = u - v;
      slope[MOST + j] = -u;
      slope[2 * MOST + j] = v;
    }
  }
  return sum;
}

static double cross_entropy(int n, int row, float k) {
  double sum = 0;
  for (int at = 0; at + row <= n; at += row) {
    float largest = x[at], powers = 0;
    for (int j = 0; j < row; j++) largest = fmaxf(largest, x[at + j]);
    for (int j = 0; j < row; j++) {
      g[at + j] = expf(x[at + j] - largest);
      powers += g[at + j];
    }
    float share = k / powers;
    for (int j = 0; j < row; j++) g[at + j] *= share;
    int class = at / row * 7919 % row;
    sum += largest + logf(powers) - x[at + class];
    g[at + class] -= k;
  }
  return sum;
}

static const struct {
  const char *name;
  double (*run)(int, int, float);
} LOOPS[] = {
    {"mse", mse},
    {"l1", l1},
    {"huber", huber},
    {"binary_cross_entropy", binary_cross_entropy},
    {"binary_cross_entropy_with_logits", binary_cross_entropy_with_logits},
    {"sigmoid_focal", sigmoid_focal},
    {"kl_div", kl_div},
    {"triplet_margin", triplet_margin},
    {"cross_entropy", cross_entropy},
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(void) {
  for (int i = 0; i < MOST; i++) {
    double jump = fmod(i * 0.61803398875, 1), other = fmod(i * 0.61803398875 + 0.377, 1);
    p[i] = 0.01 + 0.98 * jump, q[i] = 0.01 + 0.98 * other, yes[i] = other < 0.5 ? 0 : 1;
    x[i] = 8 * p[i] - 4, t[i] = 8 * q[i] - 4, third[i] = 4 - x[i];
  }
  char name[64];
  int elements, row, threads;
  while (scanf("%63s %d %d %d", name, &elements, &row, &threads) == 4) {
    double found = -1;
    for (size_t i = 0; i < sizeof LOOPS / sizeof *LOOPS; i++) {
      if (strcmp(name, LOOPS[i].name) != 0 || elements > MOST || threads != 1) continue;
      double start = now(), passed = 0;
      int done = 0;
      volatile double kept;
      while (passed < ROUND_NS) {
        kept = LOOPS[i].run(elements, row, 1.0f / elements);
        done++;
        passed = now() - start;
      }
      (void)kept;
      found = passed / done / elements;
    }
    found < 0 ? puts("-") : printf("%.4f\n", found);
    fflush(stdout);
  }
  return 0;
}
