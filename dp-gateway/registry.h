/*
 * dp-gateway/registry.h - the devices that listen for wakes, by name and group.
 *
 * Shape:   pure. A struct device is embedded in its connection, which is the
 *          caller's. One of a name: who comes anew takes the place of the one
 *          that is there. Names and groups are compared byte for byte.
 * Ownership: name is borrowed while the device is in; the group is copied, once
 *          for all devices in it.
 * Errors:  -ENOMEM, nothing changed.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_REGISTRY_H
#define DP_GATEWAY_REGISTRY_H

struct registry;
struct device_group;

struct device { /* all zero: in no registry */
	struct device	    *next; /* with the same hash */
	const char	    *name;
	struct device_group *group;
};

int  registry_new(struct registry **out);
void registry_free(struct registry **r); /* after all are removed */

/* *old: the one of this name that was there and is in no more, or NULL. */
int	       registry_add(struct registry *r, struct device *d, const char *name,
	   const char *group, struct device **old);
void	       registry_remove(struct registry *r, struct device *d);
struct device *registry_find(const struct registry *r, const char *name);
unsigned       registry_size(const struct registry *r);
const char    *device_group(const struct device *d); /* while it is in */

#endif
