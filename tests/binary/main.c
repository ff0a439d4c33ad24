/* Links the crate statically, uses it, and prints its own mappings while the stacks exist. */
#include <stdio.h>

int greenlet_answer(void);

int main(void) {
    char line[4096];
    FILE *maps;
    if (greenlet_answer() != 42)
        return 1;
    maps = fopen("/proc/self/maps", "r");
    if (!maps)
        return 2;
    while (fgets(line, sizeof line, maps))
        fputs(line, stdout);
    return 0;
}
