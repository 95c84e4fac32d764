/*
 * What Linux can take from a process for good.  seccomp: system calls that mail needs never, answered
 * EPERM; a list of what is forbidden rather than of what is allowed, since name services and SASL plug-ins call
 * what they like.  landlock: writes, and the execution of files, by place.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

/* ---- seccomp ---- */

static const short forbidden[] = {
/* programs */
#ifdef SYS_execve
    SYS_execve,
#endif
#ifdef SYS_execveat
    SYS_execveat,
#endif
/* other processes and their descriptors */
#ifdef SYS_ptrace
    SYS_ptrace,
#endif
#ifdef SYS_process_vm_readv
    SYS_process_vm_readv,
    SYS_process_vm_writev,
#endif
#ifdef SYS_pidfd_open
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_kcmp
    SYS_kcmp,
#endif
/* name spaces, mounts, roots */
#ifdef SYS_unshare
    SYS_unshare,
#endif
#ifdef SYS_setns
    SYS_setns,
#endif
#ifdef SYS_mount
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
#endif
#ifdef SYS_open_tree
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
#ifdef SYS_open_by_handle_at
    SYS_open_by_handle_at,
#endif
/* parts of the kernel that are often its weak ones */
#ifdef SYS_bpf
    SYS_bpf,
#endif
#ifdef SYS_perf_event_open
    SYS_perf_event_open,
#endif
#ifdef SYS_userfaultfd
    SYS_userfaultfd,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
#ifdef SYS_add_key
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
#endif
#ifdef SYS_vmsplice
    SYS_vmsplice,
#endif
#ifdef SYS_personality
    SYS_personality,
#endif
/* the machine */
#ifdef SYS_reboot
    SYS_reboot,
#endif
#ifdef SYS_kexec_load
    SYS_kexec_load,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_init_module
    SYS_init_module,
    SYS_delete_module,
#endif
#ifdef SYS_finit_module
    SYS_finit_module,
#endif
#ifdef SYS_swapon
    SYS_swapon,
    SYS_swapoff,
#endif
#ifdef SYS_settimeofday
    SYS_settimeofday,
#endif
#ifdef SYS_clock_settime
    SYS_clock_settime,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
#ifdef SYS_acct
    SYS_acct,
#endif
#ifdef SYS_quotactl
    SYS_quotactl,
#endif
#ifdef SYS_syslog
    SYS_syslog,
#endif
#ifdef SYS_fanotify_init
    SYS_fanotify_init,
#endif
#ifdef SYS_mknodat
    SYS_mknodat,
#endif
#ifdef SYS_mknod
    SYS_mknod,
#endif
};

enum {
	FORBIDDEN = sizeof forbidden / sizeof forbidden[0],
	FILTER_MAXIMUM = 2 * FORBIDDEN + 64,
};

struct filter {
	struct sock_filter steps[FILTER_MAXIMUM];
	unsigned short count;
};

static void
add(struct filter *filter, unsigned short code, unsigned value, unsigned char yes, unsigned char no)
{
	filter->steps[filter->count++] = (struct sock_filter){code, yes, no, value};
}

static void
load(struct filter *filter, size_t offset)
{
	add(filter, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void
answer(struct filter *filter, int error)
{
	add(filter, BPF_RET | BPF_K,
	    error == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (unsigned)error, 0, 0);
}

/* The lower half of an argument. */
static size_t
argument(int number)
{
	size_t offset = offsetof(struct seccomp_data, args) + (size_t)number * 8;

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? offset + 4 : offset;
}

/* Only the families that mail, name services and log use. */
static void
add_socket_rule(struct filter *filter)
{
	static const unsigned allowed[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

	add(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 7);
	load(filter, argument(0));
	for (unsigned char i = 0; i < 4; i++)
		add(filter, BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (unsigned char)(4 - i), 0);
	answer(filter, EAFNOSUPPORT);
	answer(filter, 0);
}

/* New processes are allowed, in our own name spaces. */
static void
add_clone_rule(struct filter *filter)
{
	enum { NAME_SPACES = 0x7e020000 }; /* CLONE_NEW... of linux/sched.h */

	add(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
	load(filter,
	    argument(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 1 : 0)); /* s390x: the second */
	add(filter, BPF_JMP | BPF_JSET | BPF_K, NAME_SPACES, 0, 1);
	answer(filter, EPERM);
	answer(filter, 0);
#ifdef SYS_clone3
	/* its flags are in memory, where no filter looks; the C library then takes clone */
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	answer(filter, ENOSYS);
#endif
}

static void
filter_calls(void)
{
#ifdef ARCHITECTURE
	static struct filter filter;
	struct sock_fprog program;

	filter.count = 0;
	load(&filter, offsetof(struct seccomp_data, arch));
	add(&filter, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	answer(&filter, EPERM); /* calls of another architecture have other numbers */
	load(&filter, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	add(&filter, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* x32 */
	answer(&filter, EPERM);
#endif
	for (size_t i = 0; i < FORBIDDEN; i++) {
		add(&filter, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)forbidden[i], 0, 1);
		answer(&filter, EPERM);
	}
	add_socket_rule(&filter);
	add_clone_rule(&filter);
	answer(&filter, 0);
	program = (struct sock_fprog){filter.count, filter.steps};
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
#endif
}

/* ---- landlock ---- */

enum {
	RIGHTS_FIRST = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
		       LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
		       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	RIGHT_REFER = 1 << 13,	  /* version 2: rename and link between directories */
	RIGHT_TRUNCATE = 1 << 14, /* version 3 */
	RIGHTS_OF_FILE = LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE,
};

static void
allow(int rules, const char *path, unsigned long long rights)
{
	struct landlock_path_beneath_attr beneath = {
	    .allowed_access = rights, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat status;

	if (beneath.parent_fd < 0)
		return;
	if (fstat(beneath.parent_fd, &status) == 0 && !S_ISDIR(status.st_mode))
		beneath.allowed_access &= RIGHTS_OF_FILE;
	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
}

static void
restrict_writes(const char *const *directories)
{
	static const char *const common[] = {"/dev/null", "/dev/tty", "/tmp", "/var/tmp"};
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attributes = {
	    .handled_access_fs = RIGHTS_FIRST | RIGHT_REFER | (version >= 3 ? RIGHT_TRUNCATE : 0)};
	unsigned long long allowed = attributes.handled_access_fs;
	int rules;

	/* the first version forbids every rename between directories */
	if (version < 2)
		return;
	attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_EXECUTE;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
	if (rules < 0)
		return;
	for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
		allow(rules, common[i], allowed);
	for (; *directories != NULL; directories++)
		allow(rules, *directories, allowed);
	syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
}

void
os_sandbox(const char *const *directories)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return;
	restrict_writes(directories);
	filter_calls();
}
