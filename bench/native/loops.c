// The memory-bound rows of the CPU benchmark as plain loops: -O3 -march=native -ffast-math, glibc's vector functions.
#include <math.h>
#include <stdint.h>

#include "peer.h"

enum { SIDE = 4096, COUNT = SIDE * SIDE, GROUP = 64 };

static float *x, *y;
static volatile float result;

static void copy(void) {
#pragma omp parallel for
  for (int i = 0; i < COUNT; i++) y[i] = x[i];
}

static void chain(void) {
#pragma omp parallel for
  for (int i = 0; i < COUNT; i++) {
    float v = x[i];
    for (int k = 0; k < 5; k++) v = v * 1.01f + 0.5f;
    y[i] = v;
  }
}

static void transcendental(void) {
#pragma omp parallel for
  for (int i = 0; i < COUNT; i++) y[i] = sqrtf(sinf(logf(expf(tanhf(x[i])) + 1)) + 2);
}

static void sum(void) {
  float total = 0;
#pragma omp parallel for reduction(+ : total)
  for (int i = 0; i < COUNT; i++) total += x[i];
  result = total;
}

static void sum_rows(void) {
#pragma omp parallel for
  for (int r = 0; r < SIDE; r++) {
    float total = 0;
    for (int c = 0; c < SIDE; c++) total += x[r * SIDE + c];
    y[r] = total;
  }
}

static void sum_columns(void) {
#pragma omp parallel for
  for (int block = 0; block < 2; block++) {
    int begin = block * SIDE / 2, end = begin + SIDE / 2;
    for (int c = begin; c < end; c++) y[c] = 0;
    for (int r = 0; r < SIDE; r++)
      for (int c = begin; c < end; c++) y[c] += x[r * SIDE + c];
  }
}

static void softmax(void) {
#pragma omp parallel for
  for (int r = 0; r < SIDE; r++) {
    const float *from = x + r * SIDE;
    float *to = y + r * SIDE;
    float greatest = -INFINITY, total = 0;
    for (int c = 0; c < SIDE; c++) greatest = from[c] > greatest ? from[c] : greatest;
    for (int c = 0; c < SIDE; c++) {
      to[c] = expf(from[c] - greatest);
      total += to[c];
    }
    for (int c = 0; c < SIDE; c++) to[c] /= total;
  }
}

static void layer_norm(void) {
#pragma omp parallel for
  for (int r = 0; r < SIDE; r++) {
    const float *from = x + r * SIDE;
    float *to = y + r * SIDE;
    float mean = 0, variance = 0;
    for (int c = 0; c < SIDE; c++) mean += from[c];
    mean /= SIDE;
    for (int c = 0; c < SIDE; c++) variance += (from[c] - mean) * (from[c] - mean);
    float factor = 1 / sqrtf(variance / SIDE + 1e-5f);
    for (int c = 0; c < SIDE; c++) to[c] = (from[c] - mean) * factor;
  }
}

static void rms_norm(void) {
#pragma omp parallel for
  for (int r = 0; r < SIDE; r++) {
    const float *from = x + r * SIDE;
    float *to = y + r * SIDE;
    float squares = 0;
    for (int c = 0; c < SIDE; c++) squares += from[c] * from[c];
    float factor = 1 / sqrtf(squares / SIDE + 1e-5f);
    for (int c = 0; c < SIDE; c++) to[c] = from[c] * factor;
  }
}

// Four bits a weight, eight in a word, a scale and a bias for each group of 64: y = Σ (q · scale + bias) · x.
static uint32_t *packed;
static float *scales, *biases;
static int outputs;

static void matrix_vector(void) {
#pragma omp parallel for
  for (int o = 0; o < outputs; o++) {
    float total = 0;
    for (int g = 0; g < SIDE / GROUP; g++) {
      const uint32_t *words = packed + (o * (SIDE / GROUP) + g) * (GROUP / 8);
      const float *in = x + g * GROUP;
      float dot = 0, plain = 0;
      for (int w = 0; w < GROUP / 8; w++)
        for (int i = 0; i < 8; i++) {
          dot += (float)((words[w] >> (4 * i)) & 15) * in[w * 8 + i];
          plain += in[w * 8 + i];
        }
      total += dot * scales[o * (SIDE / GROUP) + g] + plain * biases[o * (SIDE / GROUP) + g];
    }
    y[o] = total;
  }
}

static Run prepare_matrix_vector(int rows) {
  outputs = rows;
  packed = (uint32_t *)numbers((size_t)rows * SIDE / 8, 1, 3);
  scales = numbers((size_t)rows * SIDE / GROUP, 0.1f, 4);
  biases = numbers((size_t)rows * SIDE / GROUP, 0.1f, 5);
  return matrix_vector;
}

static Run prepare(const char *row) {
  static const struct {
    const char *name;
    Run run;
  } rows[] = {
      {"copy", copy},         {"chain", chain},           {"transcendental", transcendental}, {"sum", sum},
      {"sum-rows", sum_rows}, {"sum-columns", sum_columns}, {"softmax", softmax},           {"layer-norm", layer_norm},
      {"rms-norm", rms_norm},
  };
  x = numbers(COUNT, 1, 1);
  y = numbers(COUNT, 1, 2);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (!strcmp(rows[i].name, row)) return rows[i].run;
  if (!strcmp(row, "matvec4-4096")) return prepare_matrix_vector(4096);
  if (!strcmp(row, "matvec4-11008")) return prepare_matrix_vector(11008);
  return NULL;
}

static void print_versions(void) { printf("gcc=%d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__); }
