#include <stddef.h>
typedef struct {
	unsigned long long loadavg[3];
} perfstat_cpu_total_t;
int perfstat_cpu_total(void *name, perfstat_cpu_total_t *, int size, int count);
