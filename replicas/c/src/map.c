#include "map.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "memory.h"

enum { ROOM_MIN = 4 };

void map_free(struct map *map) {
    free(map->keys);
    free(map->values);
    *map = (struct map)MAP_EMPTY(map->value_size);
}

size_t map_lower_bound(const struct map *map, uint64_t key) {
    size_t low = 0, high = map->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->keys[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void *map_find(const struct map *map, uint64_t key) {
    size_t index = map_lower_bound(map, key);
    return index < map->len && map->keys[index] == key ? map_value(map, index) : NULL;
}

void *map_value(const struct map *map, size_t index) {
    market_check(index < map->len, "asked for entry %zu of %zu", index, map->len);
    return map->values + index * map->value_size;
}

static void grow(struct map *map) {
    map->room = map->room == 0 ? ROOM_MIN : 2 * map->room;
    map->keys = reallocate(map->keys, map->room, sizeof *map->keys);
    if (map->value_size > 0) {
        map->values = reallocate(map->values, map->room, map->value_size);
    }
}

void *map_insert(struct map *map, uint64_t key) {
    size_t index = map_lower_bound(map, key);
    market_check(index == map->len || map->keys[index] != key, "key %#llx is there already", (unsigned long long)key);
    if (map->len == map->room) {
        grow(map);
    }
    size_t behind = map->len - index;
    memmove(map->keys + index + 1, map->keys + index, behind * sizeof *map->keys);
    map->keys[index] = key;
    map->len += 1;
    if (map->value_size == 0) {
        return NULL;
    }
    unsigned char *value = map->values + index * map->value_size;
    memmove(value + map->value_size, value, behind * map->value_size);
    memset(value, 0, map->value_size);
    return value;
}

void map_remove(struct map *map, uint64_t key) {
    size_t index = map_lower_bound(map, key);
    market_check(index < map->len && map->keys[index] == key, "key %#llx is not there", (unsigned long long)key);
    size_t behind = map->len - index - 1;
    memmove(map->keys + index, map->keys + index + 1, behind * sizeof *map->keys);
    if (map->value_size > 0) {
        unsigned char *value = map->values + index * map->value_size;
        memmove(value, value + map->value_size, behind * map->value_size);
    }
    map->len -= 1;
}
