// SPDX-License-Identifier: Apache-2.0
// The ports of the process: brought to what the newest port table says, in steps that never leave a worker
// with a device that is gone. Housekeeping thread alone.
//
//   ports_prepare()  opens what is new; the old go on. Fails: nothing has changed
//   ports_retire()   takes devices that are gone from the workers, waits until they have let go, closes them
//   (the caller hands the tables over)
//   ports_publish()  the workers poll the new ones
#ifndef PORT_PORTS_H
#define PORT_PORTS_H

#include "port/device.h"
#include "port/map.h"
#include "worker/tables.h"

struct port_state {
    bool open;                 // `device` is started and in the workers' map
    bool opened;               // `fresh` is started, to replace `device`
    bool linked;               // the last link state seen
    char name[SL_PORT_NAME];   // of the config it was opened with
    char text[SL_DEVICE_TEXT]; // device: of the config it was opened with
    uint16_t queues;           // of the config it was opened with
    struct device device, fresh;
};

struct ports {
    struct device_context context;
    struct worker *const *worker;
    struct port_map *map; // published; NULL before the first
    struct port_state port[SL_MAX_PORTS];
};

struct ports *ports_new(const struct device_context *context, struct worker *const *worker);
// Closes every device. The workers have stopped.
void ports_free(struct ports *ports);

// 0, or -errno with a sentence: then everything is as it was.
int ports_prepare(struct ports *ports, const struct tables *tables, struct sl_error *error);
// Gives up what ports_prepare() has opened, because the generation is refused for another reason.
void ports_abandon(struct ports *ports);
// Takes away what the tables do not have any more. 0, or -ETIMEDOUT where a worker does not let go: it stays
// open.
int ports_retire(struct ports *ports, const struct tables *tables);
// Fills in what the tables say of devices: xdp_ports, port_mac.
void ports_describe(const struct ports *ports, struct tables *tables);
// Hands the new map to the workers. 0, -ENOMEM, or -ETIMEDOUT where a worker does not answer.
int ports_publish(struct ports *ports, const struct tables *tables);
// Takes over MTUs of ports that stay.
void ports_adjust(struct ports *ports, const struct tables *tables);
// Looks at the link states; a bit for each port whose link came up since the last call.
uint64_t ports_links_came_up(struct ports *ports);

// Writes what every slot's device is and counts for whoever looks: report[SL_MAX_PORTS]. May call the kernel.
void ports_report(const struct ports *ports, struct sl_port_state *report);

#endif
