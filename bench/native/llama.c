// The 4-bit matrix-vector rows of the CPU benchmark in llama.cpp's own kernels, from the libraries that node-llama-cpp ships.
//
// Weights are Q4_0: four bits each, a float16 scale for each group of 32; the vector becomes 8-bit integers on the way. As
// llama.cpp does when it loads a model, weights go into the first of the processor's special buffers that takes them (rows
// interleaved for its vectors), and threads stay awake from one call to the next.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "peer.h"

// What is needed of ggml's public interface (https://github.com/ggml-org/llama.cpp, ggml/include); all else is opaque.
enum { FLOAT32 = 0, Q4_0 = 2, CPU_DEVICE = 0, WEIGHTS = 1 };
struct ggml_init_params {
  size_t mem_size;
  void *mem_buffer;
  bool no_alloc;
};
struct ggml_threadpool_params {
  bool cpumask[512];
  int n_threads, prio;
  uint32_t poll;
  bool strict_cpu, paused;
};
void *ggml_init(struct ggml_init_params);
void ggml_free(void *context);
size_t ggml_tensor_overhead(void), ggml_graph_overhead(void), ggml_nbytes(const void *tensor);
void *ggml_new_tensor_2d(void *context, int type, int64_t columns, int64_t rows);
void *ggml_mul_mat(void *context, void *weights, void *x);
void *ggml_new_graph(void *context);
void ggml_build_forward_expand(void *graph, void *tensor);
size_t ggml_quantize_chunk(int type, const float *from, void *to, int64_t start, int64_t rows, int64_t columns,
                           const float *importance);
struct ggml_threadpool_params ggml_threadpool_params_default(int threads);
const char *ggml_version(void);
void ggml_backend_load_all_from_path(const char *folder);
void *ggml_backend_dev_by_type(int type), *ggml_backend_dev_backend_reg(void *device);
void *ggml_backend_dev_init(void *device, const char *parameters), *ggml_backend_dev_buffer_type(void *device);
bool ggml_backend_dev_supports_op(void *device, const void *tensor);
void *ggml_backend_reg_get_proc_address(void *registry, const char *name);
void *ggml_backend_alloc_ctx_tensors_from_buft(void *context, void *buffer_type);
void ggml_backend_buffer_set_usage(void *buffer, int usage), ggml_backend_buffer_free(void *buffer);
const char *ggml_backend_buft_name(void *buffer_type);
void ggml_backend_tensor_set(void *tensor, const void *data, size_t offset, size_t size);
void ggml_backend_tensor_get(const void *tensor, void *data, size_t offset, size_t size);
int ggml_backend_graph_compute(void *backend, void *graph);

enum { DEPTH = 4096 };

static void *backend, *graph;
static const char *buffer_name;
static Dl_info kernels;

static void fail(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(1);
}

static void *procedure(void *device, const char *name) {
  void *found = ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name);
  if (!found) fail(name);
  return found;
}

static void product(void) {
  if (ggml_backend_graph_compute(backend, graph)) fail("ggml_backend_graph_compute failed");
}

static void *new_context(void) {
  size_t size = 8 * ggml_tensor_overhead() + ggml_graph_overhead();
  return ggml_init((struct ggml_init_params){.mem_size = size, .no_alloc = true});
}

// Makes the graph with weights in a buffer of this type; returns the weights, or NULL where the device cannot multiply those.
static void *build(void *device, void *buffer_type, int rows, void **x, void **y) {
  void *weight_context = new_context(), *context = new_context();
  void *weights = ggml_new_tensor_2d(weight_context, Q4_0, DEPTH, rows);
  void *buffer = ggml_backend_alloc_ctx_tensors_from_buft(weight_context, buffer_type);
  if (!buffer) fail("no memory for the weights");
  ggml_backend_buffer_set_usage(buffer, WEIGHTS);
  *x = ggml_new_tensor_2d(context, FLOAT32, DEPTH, 1);
  *y = ggml_mul_mat(context, weights, *x);
  if (!ggml_backend_dev_supports_op(device, *y)) {
    ggml_backend_buffer_free(buffer);
    ggml_free(weight_context);
    ggml_free(context);
    return NULL;
  }
  graph = ggml_new_graph(context);
  ggml_build_forward_expand(graph, *y);
  if (!ggml_backend_alloc_ctx_tensors_from_buft(context, ggml_backend_dev_buffer_type(device))) fail("no memory");
  buffer_name = ggml_backend_buft_name(buffer_type);
  return weights;
}

// Ends the process unless results are those of the unrounded weights but for what four bits round.
static void check(const float *weights, const float *x, const void *y, int rows) {
  float *results = malloc(rows * sizeof(float));
  ggml_backend_tensor_get(y, results, 0, rows * sizeof(float));
  double errors = 0, squares = 0;
  for (int r = 0; r < rows; r++) {
    double exact = 0;
    for (int c = 0; c < DEPTH; c++) exact += (double)weights[(size_t)r * DEPTH + c] * x[c];
    errors += (results[r] - exact) * (results[r] - exact);
    squares += exact * exact;
  }
  if (!(sqrt(errors / squares) < 0.15)) fail("its results are not those of the weights");
  free(results);
}

static Run prepare(const char *row) {
  int rows = !strcmp(row, "matvec4-4096") ? 4096 : !strcmp(row, "matvec4-11008") ? 11008 : 0;
  if (!rows) return NULL;
  ggml_backend_load_all_from_path(GGML_FOLDER);
  void *device = ggml_backend_dev_by_type(CPU_DEVICE);
  if (!device) fail("no kernels for this processor in " GGML_FOLDER);
  backend = ggml_backend_dev_init(device, NULL);

  const char *said = getenv("OMP_NUM_THREADS");
  int threads = said ? atoi(said) : 1;
  struct ggml_threadpool_params parameters = ggml_threadpool_params_default(threads);
  // Long enough for the time between two calls; the 50 it has by default would keep a core from whoever is measured next.
  parameters.poll = 1;
  void *(*new_threads)(struct ggml_threadpool_params *) = procedure(device, "ggml_threadpool_new");
  void (*use_threads)(void *, void *) = procedure(device, "ggml_backend_cpu_set_threadpool");
  void (*set_count)(void *, int) = procedure(device, "ggml_backend_set_n_threads");
  use_threads(backend, new_threads(&parameters));
  set_count(backend, threads);
  dladdr((void *)set_count, &kernels);

  void **(*special_types)(void *) = procedure(device, "ggml_backend_dev_get_extra_bufts");
  void *x = NULL, *y = NULL, *weights = NULL;
  for (void **type = special_types(device); type && *type && !weights; type++) weights = build(device, *type, rows, &x, &y);
  if (!weights) weights = build(device, ggml_backend_dev_buffer_type(device), rows, &x, &y);
  if (!weights) fail("its kernels do not multiply Q4_0");

  float *vector = numbers(DEPTH, 1, 1), *matrix = numbers((size_t)rows * DEPTH, 1, 2);
  void *packed = malloc(ggml_nbytes(weights));
  ggml_quantize_chunk(Q4_0, matrix, packed, 0, rows, DEPTH, NULL);
  ggml_backend_tensor_set(weights, packed, 0, ggml_nbytes(weights));
  ggml_backend_tensor_set(x, vector, 0, DEPTH * sizeof(float));
  free(packed);
  product();
  check(matrix, vector, y, rows);
  free(matrix);
  return product;
}

static void print_versions(void) {
  const char *file = strrchr(kernels.dli_fname, '/');
  printf("llama.cpp=%s ggml=%s kernels=%s weights=%s", LLAMA_VERSION, ggml_version(), file ? file + 1 : "?", buffer_name);
}
