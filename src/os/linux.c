#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <link.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/os.h"

int
os_sync_dir(int directory_fd)
{
	int result = fsync(directory_fd);

	return result < 0 && (errno == EINVAL || errno == EBADF) ? 0 : result;
}

void
os_device_numbers(dev_t device, unsigned long *major_number, unsigned long *minor_number)
{
	*major_number = major(device);
	*minor_number = minor(device);
}

int
os_load_average(void)
{
	/* not getloadavg(3): /proc/loadavg can be put in place of the real one in a container or a test */
	double load = 0;
	FILE *file = fopen("/proc/loadavg", "re");

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lf", &load) != 1)
		load = 0;
	fclose(file);
	return (int)(load + 0.5);
}

int
os_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred credentials;
	socklen_t length = sizeof credentials;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return -1;
	*uid = credentials.uid;
	*gid = credentials.gid;
	*pid = credentials.pid;
	return 0;
}

bool
os_is_regular(const struct dirent *entry)
{
	return entry->d_type == DT_REG;
}

enum { WAITED_EVENTS = 8, WAIT_MS = 2000 };

int
os_wait_open(const struct pollfd *fds, int count)
{
	int handle = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < count && handle >= 0; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

		if (i > 0)
			event.events |= EPOLLEXCLUSIVE;
		if (epoll_ctl(handle, EPOLL_CTL_ADD, fds[i].fd, &event) < 0) {
			close(handle);
			handle = -1;
		}
	}
	return handle;
}

int
os_wait(int handle, struct pollfd *fds, int count)
{
	struct epoll_event events[WAITED_EVENTS];
	int ready;

	if (handle < 0)
		return poll(fds, (nfds_t)count, -1);
	ready = epoll_wait(handle, events, WAITED_EVENTS, WAIT_MS);
	/* who was woken may have left before it took the connection, and nobody else knows of it */
	if (ready == 0)
		return poll(fds, (nfds_t)count, 0);
	for (int i = 0; i < count; i++)
		fds[i].revents = 0;
	for (int i = 0; i < ready; i++) {
		if (events[i].data.u32 < (uint32_t)count)
			fds[events[i].data.u32].revents = POLLIN;
	}
	return ready;
}

void
os_watch(int fd)
{
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
}

void
os_process_name(pid_t pid, char *name, size_t size)
{
	char path[32];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
	file = fopen(path, "re");
	name[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(name, (int)size, file) == NULL)
		name[0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

void
os_close_from(int first)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (directory == NULL) {
		for (int fd = first; fd < 1024; fd++)
			close(fd);
		return;
	}
	while ((entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd >= first && fd != dirfd(directory))
			close(fd);
	}
	closedir(directory);
}

static bool
is_listed(int fd, const int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		if (fds[i] == fd)
			return true;
	}
	return false;
}

void
os_close_all_but(const int *fds, int count)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	for (int fd = 0; directory == NULL && fd < 1024; fd++) {
		if (!is_listed(fd, fds, count))
			close(fd);
	}
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(directory) && !is_listed(fd, fds, count))
			close(fd);
	}
	if (directory != NULL)
		closedir(directory);
}

void
os_hide_memory(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(
	    PR_SET_DUMPABLE, 0, 0, 0, 0); /* the limit does not count where cores go to a program */
}

void
os_share_port(int fd, bool on)
{
	int value = on;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

void
os_random(void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t got = getrandom((char *)bytes + done, length - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		done += (size_t)got;
	}
}

void
os_wipe(void *memory, size_t length)
{
	explicit_bzero(memory, length);
}

static bool
is_relocated_text(const struct dl_phdr_info *object, const ElfW(Phdr) * dynamic)
{
	const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + dynamic->p_vaddr);

	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_TEXTREL ||
		    (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
			return true;
	}
	return false;
}

/* What nobody may write is as it is in the file, and comes from there again when it is touched. */
static int
give_back_text(struct dl_phdr_info *object, size_t size, void *page_size)
{
	uintptr_t mask = *(const uintptr_t *)page_size - 1;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		if (object->dlpi_phdr[i].p_type == PT_DYNAMIC &&
		    is_relocated_text(object, &object->dlpi_phdr[i]))
			return 0;
	}
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t start = (object->dlpi_addr + part->p_vaddr + mask) & ~mask,
			  end = (object->dlpi_addr + part->p_vaddr + part->p_memsz) & ~mask;

		/* the kernel's own object has no file */
		if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0 && start < end &&
		    strncmp(object->dlpi_name, "linux-", 6) != 0)
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void
os_trim_memory(void)
{
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);

#ifdef __GLIBC__
	malloc_trim(0);
#endif
	dl_iterate_phdr(give_back_text, &page_size);
}

static char *title_start;
static size_t title_size;
extern char **environ;

void
os_title_prepare(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	char *end = argv[0], **copy;
	int count = 0;

	/* pgrep, pidof and monitors know a daemon by its name, and not the one in libexec */
	prctl(PR_SET_NAME, slash != NULL ? slash + 1 : argv[0], 0, 0, 0);
	/* the title may use the place of the arguments and the environment, which moves elsewhere */
	for (int i = 0; i < argc; i++) {
		if (argv[i] == end)
			end += strlen(argv[i]) + 1;
	}
	while (environ[count] != NULL)
		count++;
	for (int i = 0; i < count; i++) {
		if (environ[i] == end)
			end += strlen(environ[i]) + 1;
	}
	copy = calloc((size_t)count + 1, sizeof *copy);
	if (copy == NULL)
		return; /* no title, then */
	for (int i = 0; i < count; i++)
		copy[i] = strdup(environ[i]);
	for (int i = 1; i < argc; i++)
		argv[i] = strdup(argv[i]);
	environ = copy;
	title_start = argv[0];
	title_size = (size_t)(end - title_start);
	argv[0] = strdup(argv[0]);
}

void
os_title(const char *text)
{
	if (title_start == NULL || title_size < 2)
		return;
	memset(title_start, 0, title_size);
	snprintf(title_start, title_size, "sendmail: %s", text);
}

bool
os_service_order(const char *service, char *words, size_t size)
{
	return os_read_service_order("/etc/nsswitch.conf", service, words, size);
}

void
os_interfaces(void (*each)(const struct sockaddr *, bool, void *), void *context)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return;
	for (struct ifaddrs *one = list; one != NULL; one = one->ifa_next) {
		if (one->ifa_addr != NULL && (one->ifa_flags & IFF_UP) != 0)
			each(one->ifa_addr, (one->ifa_flags & IFF_LOOPBACK) != 0, context);
	}
	freeifaddrs(list);
}
