# Owns timers: armed and disarmed in no time, fired when the wheel is turned past them.
# Must not read a clock, nor know what timers are for.

ctypedef struct timer_t:
    double due                   # seconds on the monotonic clock; 0 when not armed
    int slot
    timer_t *previous
    timer_t *next
    void (*fire)(timer_t *timer, double now) noexcept nogil
    void *owner

cdef enum:
    WHEEL_SLOTS = 2048           # of WHEEL_TICK_MS each; later timers stay in their slot for more rounds
    WHEEL_TICK_MS = 1

ctypedef struct wheel_t:
    timer_t *slots[2048]
    timer_t *due                 # taken out of their slot, about to fire
    long count                   # armed
    long long tick               # turned up to here
    double wake_due              # earliest due of an armed timer, as far as known; 0: none

# The tick in which a timer fires: rounded up, so that none is early.
cdef inline long long tick_of(double due) noexcept nogil:
    return <long long>(due * (1000.0 / WHEEL_TICK_MS)) + 1

cdef void wheel_arm(wheel_t *wheel, timer_t *timer, double due) noexcept nogil
cdef void wheel_disarm(wheel_t *wheel, timer_t *timer) noexcept nogil
# Fires all that is due at `now`. They may arm and disarm others.
cdef void wheel_turn(wheel_t *wheel, double now) noexcept nogil
# When to turn it next; 0: nothing is armed.
cdef double wheel_next(wheel_t *wheel) noexcept nogil
