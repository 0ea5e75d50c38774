// How this module fails: with words.
#ifndef CHECK_H
#define CHECK_H

// Ends the call if `condition` is false, after a line on standard error that says where and what: a format and its
// values, as for printf. For what can only be false through a mistake in this module; a request that may not be
// carried out is refused instead.
#define market_check(condition, ...) ((condition) ? (void)0 : fail_at(__FILE__, __LINE__, __VA_ARGS__))

// Prints `file:line: message` and traps. The host quotes the line, and does not call the instance again.
_Noreturn void fail_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
