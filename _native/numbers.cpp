// Owns the conversion between numbers and their text. Must not know anything else of JSON.
//
// Reading is exact: the digits are gathered into a 64-bit integer, and where no more than 19 of them count and the
// power of ten is small, the double follows from one exact multiplication or division in 128 bits. That covers what
// programs print; everything else goes to std::from_chars, which is exact too, and slower.

#include "numbers.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace {

using byte = unsigned char;
using wide = unsigned __int128;

constexpr int POWERS = 28;          // 5**27 is the last that fits in 64 bits
constexpr int DIGITS = 19;          // decimal digits that always fit in 64 bits
constexpr int EXPONENT_END = 100000;

struct Powers {
    uint64_t scaled[POWERS];        // 5**k with its top bit shifted to bit 63
    int shift[POWERS];              // by how much
    uint64_t reciprocal[POWERS];    // floor((2**128 - 1) / scaled) - 2**64: a division becomes two multiplications
};

constexpr Powers make_powers() {
    Powers table{};
    uint64_t power = 1;
    for (int k = 0; k < POWERS; k++, power *= 5) {
        table.shift[k] = __builtin_clzll(power);
        table.scaled[k] = power << table.shift[k];
        table.reciprocal[k] = static_cast<uint64_t>(~static_cast<wide>(0) / table.scaled[k]);
    }
    return table;
}

constexpr Powers powers = make_powers();
constexpr double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                           1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr uint64_t small_tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

inline bool is_digit(byte c) { return static_cast<byte>(c - '0') < 10; }

// The number that eight bytes spell, each a digit's value, the first one in the lowest byte: neighbours are joined
// three times, to four pairs, two quads, one number.
inline uint64_t join_eight(uint64_t eight) {
    eight = eight * 10 + (eight >> 8);
    const uint64_t outer = (eight & 0x000000FF000000FFull) * 0x000F424000000064ull;
    const uint64_t inner = ((eight >> 16) & 0x000000FF000000FFull) * 0x0000271000000001ull;
    return (outer + inner) >> 32;
}

// Eight bytes, so that a digit becomes its value and any other byte something above 9.
inline uint64_t load_eight(const byte *at) {
    uint64_t eight;
    std::memcpy(&eight, at, 8);
    return eight ^ 0x3030303030303030ull;
}

// How many of the eight bytes are digits, before the first that is none.
inline int count_digits(uint64_t eight) {
    const uint64_t above = (eight & 0x7F7F7F7F7F7F7F7Full) + 0x7676767676767676ull;
    const uint64_t others = (above | eight) & 0x8080808080808080ull;
    return others == 0 ? 8 : __builtin_ctzll(others) >> 3;
}

// Adds the digits at `at` to `value` (modulo 2**64: the caller counts them) and returns the byte after them.
inline const byte *read_digits(const byte *at, const byte *end, uint64_t &value) {
    while (end - at >= 8) {
        const uint64_t eight = load_eight(at);
        const int count = count_digits(eight);
        if (count < 8) {
            // The last digits are moved to the top, so that no branch depends on how many there are. In two shifts,
            // since none may be of 64 bits.
            value = value * small_tens[count] + join_eight(eight << (56 - 8 * count) << 8);
            return at + count;
        }
        value = value * 100000000ull + join_eight(eight);
        at += 8;
    }
    for (; at < end && is_digit(*at); at++) value = value * 10 + (*at - '0');
    return at;
}

// top * 2**exponent, rounded to even; `rest` says that something nonzero lies below `top`. `top` is not zero.
inline double round_double(uint64_t top, bool rest, int exponent) {
    const int lead = __builtin_clzll(top);
    top <<= lead;
    uint64_t mantissa = top >> 11;
    const uint64_t below = top & 0x7FF;
    // Up or down is a coin's toss, so it is computed rather than branched on.
    mantissa += static_cast<uint64_t>(below > 0x400) |
                (static_cast<uint64_t>(below == 0x400) & (static_cast<uint64_t>(rest) | (mantissa & 1)));
    // A mantissa that rounds up to 2**53 carries into the exponent by itself.
    const uint64_t biased = static_cast<uint64_t>(exponent - lead + 11 + 52 + 1023 - 1);
    const uint64_t bits = (biased << 52) + mantissa;
    double value;
    std::memcpy(&value, &bits, 8);
    return value;
}

// value * 10**exponent for 0 <= exponent < POWERS.
inline double times_ten(uint64_t value, int exponent) {
    const wide product = static_cast<wide>(value) * (powers.scaled[exponent] >> powers.shift[exponent]);
    const uint64_t high = static_cast<uint64_t>(product >> 64);
    const uint64_t low = static_cast<uint64_t>(product);
    if (high == 0) return round_double(low, false, exponent);
    const int lead = __builtin_clzll(high);
    const wide moved = product << lead;
    return round_double(static_cast<uint64_t>(moved >> 64), static_cast<uint64_t>(moved) != 0, exponent + 64 - lead);
}

// value / 10**exponent for 0 <= exponent < POWERS: a 128 by 64 bit division by a known divisor, remainder kept.
inline double over_ten(uint64_t value, int exponent) {
    const int lead = __builtin_clzll(value);
    const uint64_t numerator = value << lead;
    const uint64_t divisor = powers.scaled[exponent];
    const uint64_t high = numerator >> 1;
    const uint64_t low = numerator << 63;
    wide estimate = static_cast<wide>(high) * powers.reciprocal[exponent];
    estimate += (static_cast<wide>(high + 1) << 64) | low;
    uint64_t quotient = static_cast<uint64_t>(estimate >> 64);
    uint64_t rest = low - quotient * divisor;
    // The estimate is off by one as often as not: no branch.
    const uint64_t over = -static_cast<uint64_t>(rest > static_cast<uint64_t>(estimate));
    quotient += over;
    rest += over & divisor;
    if (__builtin_expect(rest >= divisor, 0)) {
        quotient++;
        rest -= divisor;
    }
    return round_double(quotient, rest != 0, powers.shift[exponent] - lead - 63 - exponent);
}

// The digits [first, end) of a number, as counted by number_read.
struct Digits {
    uint64_t value;
    int significant;     // without leading zeros; a bound from above while it is at most DIGITS
    int exponent;        // power of ten that `value` is still to be multiplied with
};

int count_significant(const byte *first, const byte *end) {
    int zeros = 0;
    int total = 0;
    bool leading = true;
    for (; first < end; first++) {
        if (*first == '.') continue;
        total++;
        leading = leading && *first == '0';
        zeros += leading;
    }
    return total - zeros;
}

// Positive doubles from text that was checked to be a number. False when it is beyond the largest double.
bool convert(const byte *first, const byte *end, const Digits &digits, double &value) {
    if (digits.value == 0 && digits.significant <= DIGITS) {
        value = 0.0;
        return true;
    }
    if (digits.significant <= DIGITS && digits.exponent > -POWERS && digits.exponent < POWERS) {
        // Asked of the count of digits, not of the value: numbers of one array tend to be alike in that.
        if (digits.significant <= 15 && digits.exponent >= -22 && digits.exponent <= 22) {
            const double whole = static_cast<double>(digits.value);
            value = digits.exponent < 0 ? whole / tens[-digits.exponent] : whole * tens[digits.exponent];
        } else if (digits.exponent < 0) {
            value = over_ten(digits.value, -digits.exponent);
        } else {
            value = times_ten(digits.value, digits.exponent);
        }
        return true;
    }
    const char *const text = reinterpret_cast<const char *>(first);
    const auto result = std::from_chars(text, reinterpret_cast<const char *>(end), value);
    if (result.ec != std::errc::result_out_of_range) return std::isfinite(value);
    // Out of range is said of both sides; only the large one is an error.
    value = 0.0;
    return digits.exponent + digits.significant <= 0;
}

const byte *bad(const byte *at, number_t *number) {
    number->kind = NUMBER_BAD;
    return at;
}

// Reads `e+12` at `at`. NULL when no digit follows.
const byte *read_exponent(const byte *at, const byte *end, int &exponent) {
    at++;
    const bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (at == end || !is_digit(*at)) return nullptr;
    int value = 0;
    for (; at < end && is_digit(*at); at++) value = value < EXPONENT_END ? value * 10 + (*at - '0') : value;
    exponent += negative ? -value : value;
    return at;
}

inline const byte *skip_digits(const byte *at, const byte *end) {
    while (end - at >= 8) {
        const int count = count_digits(load_eight(at));
        at += count;
        if (count < 8) return at;
    }
    while (at < end && is_digit(*at)) at++;
    return at;
}

inline void set_integer(number_t *number, const Digits &digits, bool negative) {
    const uint64_t limit = (1ull << 63) - 1 + negative;
    if (digits.significant <= DIGITS && digits.value <= limit) {
        number->kind = NUMBER_INTEGER;
        number->integer = static_cast<int64_t>(negative ? 0 - digits.value : digits.value);
        number->real = static_cast<double>(number->integer);
    } else {
        number->kind = NUMBER_BIG;
    }
}

inline const byte *skip_space(const byte *at, const byte *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

inline const byte *read(const byte *at, const byte *end, number_t *number) {
    const byte *const begin = at;
    const bool negative = *at == '-';
    Digits digits{0, 0, 0};
    bool real = false;
    at += negative;
    const byte *const first = at;
    if (at == end || !is_digit(*at)) return bad(at, number);
    at = *at == '0' ? at + 1 : read_digits(at, end, digits.value);
    if (*first == '0' && at < end && is_digit(*at)) return bad(at, number);
    const byte *last = at;
    if (at < end && *at == '.') {
        at = read_digits(at + 1, end, digits.value);
        if (at == last + 1) return bad(at, number);
        digits.exponent = static_cast<int>(last + 1 - at > -EXPONENT_END ? last + 1 - at : -EXPONENT_END);
        last = at;
        real = true;
    }
    // At most so many digits count; only where that is too many are they counted one by one.
    const ptrdiff_t most = last - first - real - (*first == '0' && real);
    digits.significant = most <= DIGITS ? static_cast<int>(most) : count_significant(first, last);
    if (at < end && (*at | 0x20) == 'e') {
        const byte *const after = read_exponent(at, end, digits.exponent);
        if (after == nullptr) return bad(at + 1, number);
        at = after;
        real = true;
    }
    if (!real) set_integer(number, digits, negative);
    if (real || number->kind == NUMBER_BIG) {
        if (!convert(first, at, digits, number->real)) {
            number->kind = NUMBER_HUGE;
            return begin;
        }
        number->kind = real ? NUMBER_REAL : NUMBER_BIG;
        number->real = negative ? -number->real : number->real;
    }
    return at;
}

// Numbers of few decimals: at most DECIMALS of them, and at most 15 digits in all. No two such decimals are the same
// double, so one that reads back as `value` is its shortest text. 0 when `value` is none.
constexpr int DECIMALS = 6;
constexpr double SCALE = 1e6;

size_t write_decimals(char *to, double value) {
    const double size = std::fabs(value);
    if (!(size >= 1e-3 && size < 1e9)) return 0;  // others may be shorter with an exponent
    const double scaled = size * SCALE;
    const uint64_t units = static_cast<uint64_t>(scaled + 0.5);
    if (static_cast<double>(units) / SCALE != size) return 0;
    char *at = to;
    if (value < 0) *at++ = '-';
    const uint64_t whole = units / 1000000;
    uint32_t rest = static_cast<uint32_t>(units % 1000000);
    at += integer_write(at, static_cast<int64_t>(whole));
    *at++ = '.';
    char *last = at;
    for (int i = DECIMALS - 1; i >= 0; i--, rest /= 10) {
        at[i] = static_cast<char>('0' + rest % 10);
        if (at[i] != '0' && at + i > last) last = at + i;
    }
    return static_cast<size_t>(last + 1 - to);
}

size_t write_shortest(char *to, double value) {
    const size_t size = write_decimals(to, value);
    if (size > 0) return size;
    return static_cast<size_t>(std::to_chars(to, to + NUMBER_TEXT, value).ptr - to);
}

// Adds `.0` to text that would read back as an integer.
size_t mark_real(char *to, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (to[i] == '.' || to[i] == 'e') return size;
    to[size] = '.';
    to[size + 1] = '0';
    return size + 2;
}

inline size_t write_item(char *to, const char *item, int kind, bool &finite) {
    if (kind == ITEM_DOUBLE) {
        double value;
        std::memcpy(&value, item, 8);
        finite = std::isfinite(value);
        return finite ? double_write(to, value) : 0;
    }
    if (kind == ITEM_FLOAT) {
        float value;
        std::memcpy(&value, item, 4);
        finite = std::isfinite(value);
        return finite ? float_write(to, value) : 0;
    }
    uint64_t value;
    std::memcpy(&value, item, 8);
    return kind == ITEM_INT64 ? integer_write(to, static_cast<int64_t>(value)) : unsigned_write(to, value);
}

}  // namespace

extern "C" const unsigned char *number_read(const byte *at, const byte *end, number_t *number) {
    return read(at, end, number);
}

extern "C" const unsigned char *number_skip(const byte *at, const byte *end, const byte **wrong) {
    at += *at == '-';
    *wrong = at;
    const byte *const first = at;
    at = skip_digits(at, end);
    if (at == first) return nullptr;
    if (*first == '0' && at - first > 1) {
        *wrong = first + 1;
        return nullptr;
    }
    if (at < end && *at == '.') {
        *wrong = at + 1;
        at = skip_digits(at + 1, end);
        if (at == *wrong) return nullptr;
    }
    if (at < end && (*at | 0x20) == 'e') {
        *wrong = ++at;
        if (at < end && (*at == '-' || *at == '+')) *wrong = ++at;
        at = skip_digits(at, end);
        if (at == *wrong) return nullptr;
    }
    return at;
}

extern "C" void row_to_double(row_t *row) {
    char *item = static_cast<char *>(row->items);
    for (size_t i = 0; i < row->count; i++, item += 8) {
        int64_t integer;
        std::memcpy(&integer, item, 8);
        const double real = static_cast<double>(integer);
        std::memcpy(item, &real, 8);
    }
    row->real = 1;
}

extern "C" int row_read(row_t *row) {
    const byte *at = row->at;
    const byte *const end = row->end;
    for (;;) {
        at = skip_space(at, end);
        row->at = at;
        if (at == end) return ROW_BAD;
        if (!is_digit(*at) && *at != '-') return std::memchr("\"[{tfn", *at, 6) ? ROW_OTHER : ROW_BAD;
        if (row->count == row->capacity) return ROW_FULL;
        number_t number;
        at = read(at, end, &number);
        if (number.kind == NUMBER_HUGE) return ROW_HUGE;
        if (number.kind == NUMBER_BAD) {
            row->at = at;
            return ROW_BAD;
        }
        if (number.kind != NUMBER_INTEGER && !row->real) row_to_double(row);
        row->big |= number.kind == NUMBER_BIG;
        char *const item = static_cast<char *>(row->items) + 8 * row->count++;
        if (row->real)
            std::memcpy(item, &number.real, 8);
        else
            std::memcpy(item, &number.integer, 8);
        at = skip_space(at, end);
        row->at = at;
        if (at < end && *at == ',') {
            at++;
            continue;
        }
        if (at == end || *at != ']') return ROW_BAD;
        row->at = at + 1;
        return ROW_CLOSED;
    }
}

extern "C" size_t integer_write(char *to, int64_t value) {
    return static_cast<size_t>(std::to_chars(to, to + NUMBER_TEXT, value).ptr - to);
}

extern "C" size_t unsigned_write(char *to, uint64_t value) {
    return static_cast<size_t>(std::to_chars(to, to + NUMBER_TEXT, value).ptr - to);
}

extern "C" size_t double_write(char *to, double value) {
    // Whole numbers of up to 15 digits are common, and cheaper as integers. Negative zero keeps its sign below.
    if (value > -1e15 && value < 1e15 && value == static_cast<double>(static_cast<int64_t>(value)) &&
        (value != 0 || !std::signbit(value))) {
        const size_t size = integer_write(to, static_cast<int64_t>(value));
        to[size] = '.';
        to[size + 1] = '0';
        return size + 2;
    }
    return mark_real(to, write_shortest(to, value));
}

extern "C" size_t float_write(char *to, float value) {
    return mark_real(to, static_cast<size_t>(std::to_chars(to, to + NUMBER_TEXT, value).ptr - to));
}

extern "C" size_t row_write(char *to, const void *items, size_t count, int kind, size_t *done) {
    const char *item = static_cast<const char *>(items);
    const size_t step = kind == ITEM_FLOAT ? 4 : 8;
    char *const begin = to;
    size_t index = 0;
    for (; index < count; index++, item += step) {
        bool finite = true;
        const size_t size = write_item(to + (index > 0), item, kind, finite);
        if (!finite) break;
        if (index > 0) *to = ',';
        to += size + (index > 0);
    }
    *done = index;
    return static_cast<size_t>(to - begin);
}
