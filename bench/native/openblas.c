// The matrix products of the CPU benchmark in OpenBLAS.
#include <cblas.h>

#include "peer.h"

static int m, n, k, batches;
static CBLAS_TRANSPOSE left_order, right_order;
static float *left, *right, *target;

static void product(void) {
  for (int b = 0; b < batches; b++)
    cblas_sgemm(CblasRowMajor, left_order, right_order, m, n, k, 1, left + (size_t)b * m * k,
                left_order == CblasNoTrans ? k : m, right + (size_t)b * k * n, right_order == CblasNoTrans ? n : k, 0,
                target + (size_t)b * m * n, n);
}

static Run prepare(const char *row) {
  static const struct {
    const char *name;
    int m, n, k, batches, left_transposed, right_transposed;
  } rows[] = {
      {"matmul-512", 512, 512, 512, 1, 0, 0},          {"matmul-1024", 1024, 1024, 1024, 1, 0, 0},
      {"matmul-2048", 2048, 2048, 2048, 1, 0, 0},      {"matmul-1001", 1001, 1001, 1001, 1, 0, 0},
      {"matmul-skinny", 32, 4096, 4096, 1, 0, 0},      {"matmul-left-transposed", 1024, 1024, 1024, 1, 1, 0},
      {"matmul-right-transposed", 1024, 1024, 1024, 1, 0, 1}, {"matmul-batched", 256, 256, 256, 16, 0, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (strcmp(rows[i].name, row)) continue;
    m = rows[i].m, n = rows[i].n, k = rows[i].k, batches = rows[i].batches;
    left_order = rows[i].left_transposed ? CblasTrans : CblasNoTrans;
    right_order = rows[i].right_transposed ? CblasTrans : CblasNoTrans;
    left = numbers((size_t)batches * m * k, 1, 1);
    right = numbers((size_t)batches * k * n, 1, 2);
    target = numbers((size_t)batches * m * n, 1, 3);
    return product;
  }
  return NULL;
}

static void print_versions(void) {
  printf("openblas=%s kernels=%s", OPENBLAS_VERSION + strspn(OPENBLAS_VERSION, " OpenBLAS"), openblas_get_corename());
}
