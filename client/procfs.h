/* CPU time and resident memory of other processes, from /proc. */
#ifndef SLU_CLIENT_PROCFS_H
#define SLU_CLIENT_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** CPU time (user and system, all threads) that `pid` has used. False: no such process. */
bool slu_proc_cpu_ms(int pid, uint64_t *cpu_ms);
/** Resident memory of `pid`. False: no such process. */
bool slu_proc_rss_bytes(int pid, uint64_t *rss_bytes);
/** CPU time out of the text of /proc/PID/stat, in clock ticks. False: it does not parse. */
bool slu_proc_parse_stat(const char *text, uint64_t *ticks);
/** Reads a pid from a file. False: no file, or no number in it. */
bool slu_proc_pid_file(const char *path, int *pid);

#endif
