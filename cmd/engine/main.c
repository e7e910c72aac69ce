/* The executable's real main. It has two modules, each with a runtime of its own: the whole one with all tools, and a small one that starts
   containers (see docs/decisions.md). A process uses one of them. What the small one does not have, it says so before it has done anything;
   then we start over with the other. That is right for every command line; that some are not even tried here only saves their time.
   LAYERBOX_MODULE=whole has the small one not used at all, LAYERBOX_MODULE=small has what is not in it fail. */
#define _GNU_SOURCE
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define CHOICE "LAYERBOX_MODULE"

enum { not_in_this_module = 0x4C42, trouble = 70 };

int small_main(int argc, char **argv);
int __real_main(int argc, char **argv);

static int is_tool(const char *name)
{
    return !strcmp(name, "container-run") || !strcmp(name, "container-enter");
}

static int may_be_small(int argc, char **argv)
{
    static const char *const others[] = { "-h", "--help", "--plan", "--bundle", "--boot", "--json-status", "--snapshot", "--keep", "--engine", "--shell", "-t", "--tty" };
    const char *slash;
    int at = 1, has_terminal = 1;

    if (argc < 2)
        return 0;
    /* What engines start: the launcher, process 1. */
    if (!strncmp(argv[1], "__", 2))
        return 1;
    slash = strrchr(argv[0], '/');
    slash = slash ? slash + 1 : argv[0];
    if (!is_tool(slash) && (strcmp(slash, "layerbox") || !is_tool(argv[at++])))
        return 0;
    for (; at < argc && strcmp(argv[at], "--"); at++)
    {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        {
            size_t length = strlen(others[i]);
            if (!strncmp(argv[at], others[i], length) && (argv[at][length] == 0 || argv[at][length] == '='))
                return 0;
        }
        if (!strcmp(argv[at], "--no-tty"))
            has_terminal = 0;
    }
    return !has_terminal || !isatty(0) || !isatty(1);
}

int __wrap_main(int argc, char **argv)
{
    const char *choice = getenv(CHOICE);
    int status = not_in_this_module;
    sigset_t blocked;

    if (choice && !strcmp(choice, "whole"))
    {
        unsetenv(CHOICE);
        return __real_main(argc, argv);
    }
    /* The small one may have begun to read its signals before it finds out. */
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    if (may_be_small(argc, argv))
    {
        /* Its few threads need no memory of their own. */
        mallopt(M_ARENA_MAX, 1);
        status = small_main(argc, argv);
    }
    else if (!choice)
        return __real_main(argc, argv);
    if (status != not_in_this_module)
        return status;
    if (choice && !strcmp(choice, "small"))
    {
        fputs("layerbox: this is not in the small module\n", stderr);
        return trouble;
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    setenv(CHOICE, "whole", 1);
    execv("/proc/self/exe", argv);
    execv((const char *)getauxval(AT_EXECFN), argv);
    perror("layerbox: starting over");
    return trouble;
}
