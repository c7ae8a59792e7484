// What the native peers have in common: they read requests line by line and answer in lines, as command-peer.ts expects.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

// Sets a row up: returns what runs it once, or NULL if there is no such row.
typedef void (*Run)(void);
static Run prepare(const char *row);
// The versions to report, as name=value pairs.
static void print_versions(void);

static double wall_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec * 1e-6;
}

static double processor_milliseconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-3;
}

// Reproducible numbers between -0.5 and 0.5, scaled: those of rows.ts.
static float *numbers(size_t count, float scale, unsigned seed) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  unsigned state = seed * 2654435761u;
  for (size_t k = 0; k < count; k++) {
    state = state * 1664525u + 1013904223u;
    values[k] = (float)(state / 4294967296.0 - 0.5) * scale;
  }
  return values;
}

int main(void) {
  char line[256], row[200];
  double least;
  Run run = NULL;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "prepare %199s", row) == 1) {
      run = prepare(row);
      if (!run) {
        printf("unable not written in C\n");
      } else {
        double start = wall_milliseconds();
        run();
        printf("ready %f ", wall_milliseconds() - start);
        print_versions();
        printf("\n");
      }
    } else if (sscanf(line, "measure %lf", &least) == 1 && run) {
      double processor = processor_milliseconds(), began = wall_milliseconds();
      int count = 0;
      static double times[1 << 20];
      do {
        double start = wall_milliseconds();
        run();
        times[count++] = wall_milliseconds() - start;
      } while (wall_milliseconds() - began < least && count < 1 << 20);
      printf("measured %f", (processor_milliseconds() - processor) / count);
      for (int k = 0; k < count; k++) printf(" %f", times[k]);
      printf("\n");
    }
    fflush(stdout);
  }
  return 0;
}
