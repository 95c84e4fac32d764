/*
 * AIX 7.2 and 7.3.  What is avoided here and why: no getifaddrs, flock, getrandom, epoll or SO_PEERCRED
 * there.  Written from the system's documents; it has not been built on AIX yet.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#ifdef HAVE_LIBPERFSTAT
#include <libperfstat.h>
#endif
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/proc.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/os.h"

int
os_sync_dir(int directory_fd)
{
	/* a directory cannot be synced; JFS2 writes names in its log, and the renamed file was synced */
	(void)directory_fd;
	return 0;
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
#ifdef HAVE_LIBPERFSTAT
	perfstat_cpu_total_t total;

	if (perfstat_cpu_total(NULL, &total, sizeof total, 1) != 1)
		return 0;
	return (int)((total.loadavg[0] + (1 << (SBITS - 1))) >> SBITS);
#else
	return 0; /* QueueLA and RefuseLA never act */
#endif
}

bool
os_is_regular(const struct dirent *entry)
{
	(void)entry;
	return false;
}

int
os_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	*pid = 0;
	return getpeereid(fd, uid, gid);
}

int
os_wait_open(const struct pollfd *fds, int count)
{
	(void)fds;
	(void)count;
	return -1; /* a pollset wakes everybody, too */
}

int
os_wait(int handle, struct pollfd *fds, int count)
{
	(void)handle;
	return poll(fds, (nfds_t)count, -1);
}

void
os_watch(int fd)
{
	int on = 1, owner = getpid();

	/* by ioctl(2), which knows it for sockets; for pipes there is nothing of the kind */
	ioctl(fd, FIONBIO, &on);
	ioctl(fd, FIOSETOWN, &owner);
	ioctl(fd, FIOASYNC, &on);
}

void
os_process_name(pid_t pid, char *name, size_t size)
{
	struct psinfo info;
	char path[40];
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/psinfo", (long)pid);
	fd = open(path, O_RDONLY);
	memset(&info, 0, sizeof info);
	if (fd >= 0 && read(fd, &info, sizeof info) == (ssize_t)sizeof info)
		snprintf(name, size, "%.*s", (int)sizeof info.pr_fname, info.pr_fname);
	else
		name[0] = '\0';
	if (fd >= 0)
		close(fd);
}

void
os_close_from(int first)
{
	/* never a loop up to the limit, which is huge */
	fcntl(first, F_CLOSEM, 0);
}

void
os_close_all_but(const int *fds, int count)
{
	int highest = -1;

	for (int i = 0; i < count; i++)
		highest = fds[i] > highest ? fds[i] : highest;
	os_close_from(highest + 1);
	for (int fd = 0; fd < highest; fd++) {
		int i = 0;

		while (i < count && fds[i] != fd)
			i++;
		if (i == count)
			close(fd);
	}
}

void
os_hide_memory(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
}

void
os_sandbox(const char *const *directories)
{
	(void)directories;
}

void
os_share_port(int fd, bool on)
{
	(void)fd; /* SO_REUSEPORT there shares connections among all of them for good */
	(void)on;
}

void
os_random(void *bytes, size_t length)
{
	int fd = open("/dev/urandom", O_RDONLY);

	for (size_t done = 0; done < length;) {
		ssize_t got = fd >= 0 ? read(fd, (char *)bytes + done, length - done) : -1;

		if (got < 0 && fd >= 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		done += (size_t)got;
	}
	close(fd);
}

void
os_wipe(void *memory, size_t length)
{
	volatile unsigned char *at = memory;

	while (length-- > 0)
		*at++ = 0;
}

void
os_trim_memory(void)
{
	/* what is free stays in the heap: disclaim(2) needs to know where it is */
}

static char *title_start;
static size_t title_size;

void
os_title_prepare(int argc, char **argv)
{
	char *end = argv[0];

	for (int i = 0; i < argc; i++) {
		if (argv[i] == end)
			end += strlen(argv[i]) + 1;
	}
	title_start = argv[0];
	title_size = (size_t)(end - title_start);
	for (int i = 0; i < argc; i++)
		argv[i] = strdup(argv[i]);
}

void
os_title(const char *text)
{
	static const char prefix[] = "sendmail: ";
	size_t room, length = strlen(text);

	if (title_start == NULL || title_size < sizeof prefix)
		return;
	room = title_size - sizeof prefix;
	memset(title_start, 0, title_size);
	memcpy(title_start, prefix, sizeof prefix - 1);
	memcpy(title_start + sizeof prefix - 1, text, length < room ? length : room);
}

bool
os_service_order(const char *service, char *words, size_t size)
{
	const char *order = strcmp(service, "hosts") == 0 ? getenv("NSORDER") : NULL;

	words[0] = '\0';
	/* the environment, netsvc.conf, irs.conf: the first that says something */
	while (order != NULL && *order != '\0') {
		size_t length = strcspn(order, " ,=");

		os_add_service_word(order, length, words, size);
		order += length;
		order += strcspn(order, " ,");
		order += strspn(order, " ,");
	}
	if (words[0] != '\0')
		return true;
	if (strcmp(service, "aliases") == 0)
		service = "alias";
	return os_read_service_order("/etc/netsvc.conf", service, words, size);
}

/* Entries are as long as their address says, but never shorter than a sockaddr. */
static size_t
entry_size(const struct ifreq *entry)
{
	size_t address = sizeof(struct sockaddr);

#ifdef HAVE_STRUCT_SOCKADDR_SA_LEN
	if (entry->ifr_addr.sa_len > address)
		address = entry->ifr_addr.sa_len;
#else
	(void)entry;
#endif
	return sizeof entry->ifr_name + address;
}

void
os_interfaces(void (*each)(const struct sockaddr *, bool, void *), void *context)
{
	enum { ROOM = 65536 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char *buffer = malloc(ROOM);
	struct ifconf list;
	struct ifreq flags;

	memset(&list, 0, sizeof list);
	list.ifc_len = ROOM;
	list.ifc_buf = buffer;
	if (fd >= 0 && buffer != NULL && ioctl(fd, SIOCGIFCONF, &list) == 0) {
		/* the last one may end before a whole struct would */
		for (char *at = buffer; at + sizeof flags.ifr_name + sizeof(struct sockaddr) <=
					buffer + list.ifc_len;) {
			struct ifreq *entry = (struct ifreq *)(void *)at;

			memset(&flags, 0, sizeof flags);
			memcpy(flags.ifr_name, entry->ifr_name, sizeof flags.ifr_name);
			if (ioctl(fd, SIOCGIFFLAGS, &flags) == 0 && (flags.ifr_flags & IFF_UP) != 0)
				each(&entry->ifr_addr, (flags.ifr_flags & IFF_LOOPBACK) != 0,
				    context);
			at += entry_size(entry);
		}
	}
	free(buffer);
	if (fd >= 0)
		close(fd);
}
