// SPDX-License-Identifier: Apache-2.0
// From one generation to the next: ports, twins, NAT and tables change together or not at all. Housekeeping thread.
#ifndef HOUSEKEEPING_TURNOVER_H
#define HOUSEKEEPING_TURNOVER_H

#include "housekeeping/house.h"

// Looks at the board; takes over what is new, or refuses it with a sentence on the board and on stderr; closes what
// no worker uses any more. True: a generation was taken over.
bool turnover_step(struct house *house);
// generation_next(), and a line in the journal where what is new is refused.
struct tables *turnover_next(struct house *house);
// Takes over tables from turnover_next(). False: refused.
bool turnover_apply(struct house *house, struct tables *tables);

#endif
