#include "memory.h"

#include <stdlib.h>

#include "check.h"

void *allocate(size_t count, size_t size) {
    if (count == 0) {
        return NULL;
    }
    void *items = calloc(count, size);
    market_check(items != NULL, "out of memory: asked for %zu items of %zu bytes", count, size);
    return items;
}

void *reallocate(void *items, size_t count, size_t size) {
    market_check(count > 0 && count <= (size_t)-1 / size, "cannot have %zu items of %zu bytes", count, size);
    void *moved = realloc(items, count * size);
    market_check(moved != NULL, "out of memory: asked for %zu items of %zu bytes", count, size);
    return moved;
}
