/*
 * os: what differs between systems.  One file a system (src/os/linux.c, src/os/aix.c) and what
 * configure decided (src/os/lock.c); nothing else in the project asks what system it is on.
 */
#ifndef OS_OS_H
#define OS_OS_H

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Makes the names in a directory durable.  0, or -1 with errno.  Where the system cannot (AIX: EBADF) this is 0. */
int os_sync_dir(int directory_fd);

/*
 * Whole-file locks of the kind that this system's sendmail takes (flock, or fcntl where configure
 * says so).  One descriptor a file, and no fork while one is held: fcntl locks belong to the
 * process and go with the first close.  0, or -1 with errno (EWOULDBLOCK: somebody else has it).
 */
enum os_lock { OS_LOCK_SHARED, OS_LOCK_EXCLUSIVE, OS_LOCK_NONE };
int os_lock(int fd, enum os_lock, bool wait);
const char *os_lock_name(void); /* "flock" or "fcntl" */

/* The two parts of a device number. */
void os_device_numbers(dev_t, unsigned long *major_number, unsigned long *minor_number);

/* Load average of the last minute, rounded; 0 when the system does not say. */
int os_load_average(void);

/* Who is at the other end of a connected local socket.  0, or -1 with errno. pid is 0 where unknown. */
int os_peer(int fd, uid_t *, gid_t *, pid_t *);

/* The directory itself says that this is a regular file.  false: it does not, ask stat(2). */
bool os_is_regular(const struct dirent *);
/* Does this error of getaddrinfo(3) say that the name exists and has no address?  POSIX has no such error. */
bool os_has_no_address(int error);

/* The flag of resolv.h that makes the library hand on the AD bit of answers; 0 where it does so anyway. */
unsigned long os_resolver_trust(void);

/* The fraction of st_mtime in nanoseconds; 0 where the system keeps none. */
long os_modified_nanoseconds(const struct stat *);

/* SIGIO to this process when a local socket has something to read or its other end is closed. */
void os_watch(int fd);

/* Another descriptor for the same, `lowest` or higher, close-on-exec; -1 with errno. */
int os_duplicate(int fd, int lowest);

/* The name of a process's program without its folder; "" where the system does not tell. */
void os_process_name(pid_t, char *name, size_t size);

/*
 * For processes that wait for the same listening sockets: a connection is to wake one of them, not
 * all.  fds[0] is the process's own, the others are shared.  os_wait sets revents as poll(2) does,
 * and returns after seconds at the latest.  A handle of -1 means that the system has nothing of the
 * kind: os_wait is poll(2) then.
 */
int os_wait_open(const struct pollfd *fds, int count);
int os_wait(int handle, struct pollfd *fds, int count);

/* Closes every descriptor from `first` up. */
void os_close_from(int first);

/* Closes every descriptor that is not listed; -1 in the list is nobody. */
void os_close_all_but(const int *fds, int count);

/* No core file and no debugger of the same user: this process has secrets in its memory. */
void os_hide_memory(void);

/*
 * Takes from this process, and for good, what it never needs: programs, devices, other processes, the
 * management of the system, and every write but into files below `directories` (NULL-ended) and the public
 * temporary ones.  What is forbidden fails; nothing is killed.  It does what the kernel has (Linux: seccomp,
 * landlock) and is silent about the rest.
 */
void os_sandbox(const char *const *directories);

/* May sockets of ours listen on one port by different addresses while this is on?  Nothing where the system cannot. */
void os_share_port(int fd, bool on);

/* Bytes nobody can guess; always succeeds or panics. */
void os_random(void *bytes, size_t length);

/* Overwrites memory so that no compiler takes it away. */
void os_wipe(void *memory, size_t length);

/*
 * Gives back what this process does not use now: memory that malloc holds, and pages of programs and libraries
 * as they are in their files, which come back when they are touched.  Before processes are forked that would each keep it,
 * and when one has nothing to do.
 */
void os_trim_memory(void);

/* What ps shows.  os_title_prepare is called first thing in main(). */
void os_title_prepare(int argc, char **argv);
void os_title(const char *text);

/*
 * How the system looks up `hosts` or `aliases`, in sendmail's words and the system's order, a blank
 * between them ("files dns"): from what administrators set for all programs.  false: nothing is set.
 */
bool os_service_order(const char *service, char *words, size_t size);
/*
 * The same from a file of lines `service: word word [action] word`, or, with `=` for the colon and
 * commas between the words, in AIX's form; for os_service_order and its tests.
 */
bool os_read_service_order(const char *file, const char *service, char *words, size_t size);
/* Adds a word of the system's to the list as sendmail calls it; one that it has no name for is left out. */
void os_add_service_word(const char *word, size_t length, char *words, size_t size);

/* Calls back with each address of each network interface that is up. */
void os_interfaces(
    void (*each)(const struct sockaddr *, bool loopback, void *context), void *context);

#endif
