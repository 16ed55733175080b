/* Runs a fuzz target over files, for compilers without libFuzzer: each argument is a file or a
 * folder of files. Built together with one fuzz_*.c. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long ran;

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t cap = 1 << 20, size;
    uint8_t *data = malloc(cap);
    size = data ? fread(data, 1, cap, file) : 0;
    fclose(file);
    /* Exactly as long as the input, so that a read past its end is seen. */
    uint8_t *exact = malloc(size ? size : 1);
    if (!data || !exact)
        return 1;
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    ran++;
    return 0;
}

static int replay_folder(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort), failed = 0;
    if (count < 0) {
        perror(path);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char file[4096];
        if (names[i]->d_name[0] != '.') {
            snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
            failed |= replay_file(file);
        }
        free(names[i]);
    }
    free(names);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info)) {
            perror(argv[i]);
            failed = 1;
        } else {
            failed |= S_ISDIR(info.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
        }
    }
    printf("%lu inputs\n", ran);
    return failed || ran == 0;
}
