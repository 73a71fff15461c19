"""Owns timers: a wheel of slots, each a list of what is due in one tick of this round or of a later one.

Must not read a clock, nor know what timers are for.
"""

cdef enum:
    SLOT_DUE = -1                # of a timer that is about to fire


cdef void wheel_arm(wheel_t *wheel, timer_t *timer, double due) noexcept nogil:
    cdef long long tick = tick_of(due)
    wheel_disarm(wheel, timer)
    if tick <= wheel.tick:
        tick = wheel.tick + 1
    timer.slot = tick % WHEEL_SLOTS
    timer.due = due
    timer.previous = NULL
    timer.next = wheel.slots[timer.slot]
    if timer.next != NULL:
        timer.next.previous = timer
    wheel.slots[timer.slot] = timer
    wheel.count += 1
    if wheel.wake_due == 0 or due < wheel.wake_due:
        wheel.wake_due = due


cdef void unlink_timer(wheel_t *wheel, timer_t *timer) noexcept nogil:
    if timer.next != NULL:
        timer.next.previous = timer.previous
    if timer.previous != NULL:
        timer.previous.next = timer.next
    elif timer.slot == SLOT_DUE:
        wheel.due = timer.next
    else:
        wheel.slots[timer.slot] = timer.next


cdef void wheel_disarm(wheel_t *wheel, timer_t *timer) noexcept nogil:
    if timer.due == 0:
        return
    timer.due = 0
    wheel.count -= 1
    unlink_timer(wheel, timer)


# Fires what is due in one slot. A fired timer may arm and disarm others, so each is taken out before it fires; those of
# later rounds are put back.
cdef void slot_turn(wheel_t *wheel, int slot, double now) noexcept nogil:
    cdef timer_t *timer = wheel.slots[slot]
    cdef timer_t *following
    cdef timer_t *due = NULL
    while timer != NULL:
        following = timer.next
        if timer.due <= now:
            unlink_timer(wheel, timer)
            timer.slot = SLOT_DUE
            timer.next = due
            timer.previous = NULL
            if due != NULL:
                due.previous = timer
            due = timer
        timer = following
    wheel.due = due
    while wheel.due != NULL:
        timer = wheel.due
        wheel_disarm(wheel, timer)
        timer.fire(timer, now)


cdef void wheel_turn(wheel_t *wheel, double now) noexcept nogil:
    cdef long long end = <long long>(now * (1000.0 / WHEEL_TICK_MS))
    cdef long long first = wheel.tick + 1
    if end - first >= WHEEL_SLOTS:
        first = end - WHEEL_SLOTS + 1
    while first <= end:
        # What a fired timer arms goes to a slot that is still ahead.
        wheel.tick = first
        slot_turn(wheel, first % WHEEL_SLOTS, now)
        first += 1


# When to look again: at the first slot ahead that has a timer of this round, at the latest after one round.
cdef double wheel_next(wheel_t *wheel) noexcept nogil:
    cdef double round_end = (wheel.tick + WHEEL_SLOTS) * (WHEEL_TICK_MS / 1000.0)
    cdef long long tick = wheel.tick + 1
    cdef timer_t *timer
    if wheel.count == 0:
        return 0
    while tick <= wheel.tick + WHEEL_SLOTS:
        timer = wheel.slots[tick % WHEEL_SLOTS]
        while timer != NULL:
            if tick_of(timer.due) <= tick:
                return timer.due
            timer = timer.next
        tick += 1
    return round_end
