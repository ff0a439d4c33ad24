/* Loads the crate at run time, from a second thread on, and uses it on both threads: its thread-local must be found
   there, too. */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static int (*answer)(void);

static void *load_and_ask(void *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return path;
    *(void **)&answer = dlsym(library, "greenlet_answer");
    return answer && answer() == 42 ? NULL : path;
}

int main(int argc, char **argv) {
    pthread_t thread;
    void *failed = argv;
    if (argc != 2 || pthread_create(&thread, NULL, load_and_ask, argv[1]))
        return 1;
    pthread_join(thread, &failed);
    if (failed)
        return 2;
    return answer() == 42 ? 0 : 3;
}
