#include "client/procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *path, char *text, size_t cap)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t len = fread(text, 1, cap - 1, file);
    text[len] = '\0';
    fclose(file);
    return len > 0;
}

bool slu_proc_parse_stat(const char *text, uint64_t *ticks)
{
    /* The second field, the name, may hold anything but ends with the last parenthesis; user and
     * system time are the fields 14 and 15. */
    const char *at = strrchr(text, ')');
    unsigned long user, system;
    if (!at ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return false;
    *ticks = (uint64_t)user + system;
    return true;
}

bool slu_proc_cpu_ms(int pid, uint64_t *cpu_ms)
{
    char path[64], text[1024];
    uint64_t ticks;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (!read_text(path, text, sizeof text) || !slu_proc_parse_stat(text, &ticks))
        return false;
    long hz = sysconf(_SC_CLK_TCK);
    *cpu_ms = ticks * 1000u / (uint64_t)(hz > 0 ? hz : 100);
    return true;
}

bool slu_proc_rss_bytes(int pid, uint64_t *rss_bytes)
{
    char path[64], text[256];
    unsigned long pages;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    if (!read_text(path, text, sizeof text) || sscanf(text, "%*u %lu", &pages) != 1)
        return false;
    *rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

bool slu_proc_pid_file(const char *path, int *pid)
{
    char text[32];
    if (!read_text(path, text, sizeof text))
        return false;
    long value = strtol(text, NULL, 10);
    *pid = (int)value;
    return value > 0 && value <= INT32_MAX;
}
