#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// The host quotes 512 bytes of the end of standard error.
enum { LINE_BYTES_MAX = 512 };

_Noreturn void fail_at(const char *file, int line, const char *format, ...) {
    char text[LINE_BYTES_MAX];
    int place = snprintf(text, sizeof text, "%s:%d: ", file, line);
    va_list values;
    va_start(values, format);
    // Needs no memory but this array: memory may be what has run out.
    vsnprintf(text + place, sizeof text - (size_t)place - 1, format, values);
    va_end(values);
    strcat(text, "\n");
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; // There is nobody left to tell.
    __builtin_trap();
}
