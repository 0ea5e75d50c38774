// A sorted map from 64-bit keys to values of one size: the one container of this module.
//
// Keys and values lie in two arrays of equal order. A search halves the array of keys and touches nothing else. Keys
// that begin alike lie side by side, so that a question such as "all holdings of this day" is a walk over neighbours.
// Inserting moves what comes after, which is quick as long as a map is small: see market.h for what bounds each.
#ifndef MAP_H
#define MAP_H

#include <stddef.h>
#include <stdint.h>

struct map {
    size_t value_size; // In bytes; 0 makes the map a set.
    size_t len;
    size_t room; // How many entries fit before the arrays have to grow.
    uint64_t *keys;
    unsigned char *values;
};

// How an empty map begins.
#define MAP_EMPTY(size) {.value_size = (size)}

// Frees the arrays, not what the values point to, and leaves an empty map.
void map_free(struct map *map);

// The first index whose key is not less than `key`; `len` if there is none.
size_t map_lower_bound(const struct map *map, uint64_t key);

// The value of `key`, or NULL. Values move: the pointer is good until the next insertion or removal.
void *map_find(const struct map *map, uint64_t key);

// The value at an index less than `len`.
void *map_value(const struct map *map, size_t index);

// Adds a key that is not there yet, and returns its value, all zero, to be filled in.
void *map_insert(struct map *map, uint64_t key);

// Removes a key that is there.
void map_remove(struct map *map, uint64_t key);

#endif
