/* Runs a fuzz target on every file named: how the corpus is kept in `make check`, with any compiler. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		uint8_t *bytes = malloc(1 << 20);
		size_t length;

		if (file == NULL || bytes == NULL) {
			perror(argv[i]);
			return 1;
		}
		length = fread(bytes, 1, 1 << 20, file);
		fclose(file);
		LLVMFuzzerTestOneInput(bytes, length);
		free(bytes);
	}
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
