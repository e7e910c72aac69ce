// What a hostile or unlucky program does, one thing a call; prints what came of it. Linked statically, so it runs in any image.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *name, long result) { printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "done"); }

static int calls(void) {
  char key = 'x';
  say("add_key", syscall(SYS_add_key, "user", "a", &key, 1, -4));
  say("keyctl", syscall(SYS_keyctl, 0, -3, 1));
  say("bpf", syscall(SYS_bpf, 0, NULL, 0));
  say("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
  say("userfaultfd", syscall(SYS_userfaultfd, 1));
  say("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
  say("init_module", syscall(SYS_init_module, NULL, 0, ""));
  say("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
  say("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, NULL, 0));
  say("unshare", unshare(CLONE_NEWUSER));
  say("setns", setns(0, 0));
  say("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
  say("clone3", syscall(SYS_clone3, NULL, 0));
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  say("clone", child);
  say("TIOCSTI", ioctl(0, TIOCSTI, &key));
  say("TIOCLINUX", ioctl(0, TIOCLINUX, &key));
  say("vsock", socket(40, SOCK_STREAM, 0));
  say("x32", syscall(0x40000000 | SYS_getpid));
  say("getpid", syscall(SYS_getpid));
  return 0;
}

// A container of that name, with the process as its first one.
static int announce(const char *name, const char *process, const char *start) {
  int fd = memfd_create("layerbox-container", MFD_ALLOW_SEALING);
  dprintf(fd, "layerbox-container 1%cid=%s%cname=%s%cengine=builtin%croot=/%cprocess1=%s%cstart=%s%c", 0, name, 0, name, 0, 0, 0, process, 0, start, 0);
  fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  flock(fd, LOCK_SH);
  puts("announced");
  fflush(stdout);
  return sleep(1000);
}

static int call32(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  printf("32 done\n");
  return 0;
}

// What root inside may do to process 1, and to its own executable.
static int process1(void) {
  char byte;
  struct iovec own = {&byte, 1}, other = {(void *)0x400000, 1};
  say("ptrace", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
  say("read", process_vm_readv(1, &own, 1, &other, 1, 0));
  say("mem", open("/proc/1/mem", O_RDWR));
  say("exe", open("/proc/1/exe", O_RDONLY));
  say("root", open("/proc/1/root", O_RDONLY | O_DIRECTORY));
  say("cwd", chdir("/proc/1/cwd"));
  say("exec", execl("/proc/1/exe", "exe", NULL));
  char path[] = "/proc/1/fd/0";
  int descriptor;
  while ((descriptor = open(path, O_RDWR)) < 0 && errno == ENOENT && path[11] < '9') path[11]++;
  say("descriptor", descriptor);
  say("own exe", open("/proc/self/exe", O_WRONLY));
  return 0;
}

// The old way out of a chroot: keep a folder open, go below another root, and up from there. Prints whether the path is there then.
static int unroot(const char *path) {
  int here = open("/", O_RDONLY | O_DIRECTORY);
  mkdir("/tmp/below", 0700);
  say("chroot", chroot("/tmp/below"));
  say("fchdir", fchdir(here));
  for (int i = 0; i < 100; i++) chdir("..");
  say("up", chroot("."));
  say("outside", access(path, F_OK));
  return 0;
}

static int reach(const char *name, int port) {
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  strcpy(local.sun_path + 1, name);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  say("abstract", connect(fd, (void *)&local, sizeof(sa_family_t) + 1 + strlen(name)));
  struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  fd = socket(AF_INET, SOCK_STREAM, 0);
  say("loopback", connect(fd, (void *)&loopback, sizeof loopback));
  return 0;
}

static int orphans(int count) {
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) {
      if (fork() == 0) _exit(0);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  return 0;
}

static int got[65];
static void count(int signal) { got[signal]++; }

// Prints each signal that comes, until TERM came twice.
static int signals(void) {
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_BLOCK, &all, NULL);
  for (int i = 1; i <= 64; i++) signal(i, count);
  puts("ready");
  fflush(stdout);
  int said[65] = {0};
  while (got[SIGTERM] < 2) {
    sigsuspend(&none);
    for (int i = 1; i <= 64; i++)
      for (; said[i] < got[i]; said[i]++) printf("%d\n", i);
    fflush(stdout);
  }
  return 42;
}

// Uses so many megabytes of memory.
static int eat(int megabytes) {
  for (int i = 0; i < megabytes; i++) {
    char *block = malloc(1 << 20);
    if (!block) return 1;
    memset(block, i, 1 << 20);
  }
  return 0;
}

static long milliseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Works until it has had so many milliseconds of a processor, and prints how many have passed.
static int spin(long work) {
  long start = milliseconds(CLOCK_MONOTONIC);
  while (milliseconds(CLOCK_PROCESS_CPUTIME_ID) < work) {
  }
  return printf("%ld\n", milliseconds(CLOCK_MONOTONIC) - start) < 0;
}

int main(int argc, char **argv) {
  if (!strcmp(argv[1], "calls")) return calls();
  if (!strcmp(argv[1], "announce")) return announce(argv[2], argv[3], argv[4]);
  if (!strcmp(argv[1], "process1")) return process1();
  if (!strcmp(argv[1], "call32")) return call32();
  if (!strcmp(argv[1], "unroot")) return unroot(argv[2]);
  if (!strcmp(argv[1], "reach")) return reach(argv[2], atoi(argv[3]));
  if (!strcmp(argv[1], "orphans")) return orphans(atoi(argv[2]));
  if (!strcmp(argv[1], "signals")) return signals();
  if (!strcmp(argv[1], "euid")) return printf("%d %d\n", getuid(), geteuid()) < 0;
  if (!strcmp(argv[1], "eat")) return eat(atoi(argv[2]));
  if (!strcmp(argv[1], "spin")) return spin(atol(argv[2]));
  if (!strcmp(argv[1], "raise")) return raise(atoi(argv[2]));
  return 1;
}
