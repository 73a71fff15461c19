/* Numbers as JSON text: reading them into typed memory and writing them, without the GIL and without a locale.
 * Must not know anything else of JSON: brackets, strings and members belong to json.pyx.
 */
#ifndef MILLRACE_NUMBERS_H
#define MILLRACE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    NUMBER_BAD = 0,      /* not a JSON number */
    NUMBER_INTEGER = 1,  /* written as an integer, and it fits int64 */
    NUMBER_BIG = 2,      /* written as an integer beyond int64; only `real` is set */
    NUMBER_REAL = 3,     /* has a fraction or an exponent */
    NUMBER_HUGE = 4      /* its magnitude is beyond the largest double */
};

typedef struct {
    int kind;
    int64_t integer;     /* set for NUMBER_INTEGER */
    double real;         /* set for all but NUMBER_BAD and NUMBER_HUGE */
} number_t;

/* Reads the number that begins at `at`, which lies before `end`. Returns the byte after it; for NUMBER_BAD and
 * NUMBER_HUGE the byte where it goes wrong. */
const unsigned char *number_read(const unsigned char *at, const unsigned char *end, number_t *number);

/* Passes over the number at `at` without working out its value. Returns the byte after it, or NULL when it is none;
 * `wrong` is then the byte where it goes wrong. */
const unsigned char *number_skip(const unsigned char *at, const unsigned char *end, const unsigned char **wrong);

enum {
    ROW_CLOSED = 0,      /* the closing bracket was read; `at` lies behind it */
    ROW_FULL = 1,        /* no room is left: give `items` more and call again */
    ROW_OTHER = 2,       /* `at` is an element that is no number: a string, a list, a literal */
    ROW_BAD = 3,         /* `at` is a byte that cannot stand there, or the end */
    ROW_HUGE = 4         /* `at` is a number beyond the largest double */
};

typedef struct {
    const unsigned char *at;
    const unsigned char *end;
    void *items;         /* int64 while `real` is 0, double afterwards; aligned to 8 */
    size_t count;
    size_t capacity;
    int real;            /* 1: elements are doubles; turned on by the first number that is not an int64 */
    int big;             /* 1: an integer beyond int64 was met */
} row_t;

/* Reads elements of an array of numbers from `at`, which is where an element begins, up to its end. */
int row_read(row_t *row);
/* Turns the int64 elements into doubles. */
void row_to_double(row_t *row);

enum { NUMBER_TEXT = 26 };  /* bytes the longest number takes, with a separator */

/* Shortest text that reads back as the same value. `value` is finite; integers keep a `.0`, so that they stay
 * doubles where they are read. Each returns the number of bytes written. */
size_t double_write(char *to, double value);
size_t float_write(char *to, float value);
size_t integer_write(char *to, int64_t value);
size_t unsigned_write(char *to, uint64_t value);

enum { ITEM_DOUBLE = 0, ITEM_INT64 = 1, ITEM_UINT64 = 2, ITEM_FLOAT = 3 };

/* Writes `count` numbers of one kind with commas between. Stops before one that is not finite: `done` says how
 * many were written. `items` need not be aligned. Room: NUMBER_TEXT * count. */
size_t row_write(char *to, const void *items, size_t count, int kind, size_t *done);

#ifdef __cplusplus
}
#endif
#endif
