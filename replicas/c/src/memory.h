// malloc, without the question whether it worked: a replica that is out of memory ends its call with words.
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

// Room for `count` items of `size` bytes, all zero; to be given to free(). NULL for no items: lists that the contract
// hands over are freed only if they hold something.
void *allocate(size_t count, size_t size);

// Changes the room behind `items`, which may be NULL, to `count` items, and keeps those that fit.
void *reallocate(void *items, size_t count, size_t size);

#endif
