/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Two connected queue pairs of one process: the far one's memory is reached on demand. */
#ifndef RDMA_VERBS_H
#define RDMA_VERBS_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERBS_BUFFER	(2UL << 20)

struct verbs {
	struct ibv_context *context;
	struct ibv_device_attr_ex device;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	union ibv_gid gid;
	int gid_index;
	struct ibv_qp *near, *far;
	/* The near side's own memory, pinned. */
	unsigned char *buffer;
	struct ibv_mr *buffer_mr;
};

/* These return NULL, or what is wrong. */
const char *verbs_open(struct verbs *verbs);
/* Again after an access that was refused: that ends a connection. */
const char *verbs_connect(struct verbs *verbs);
void verbs_disconnect(struct verbs *verbs);
void verbs_close(struct verbs *verbs);

struct ibv_mr *verbs_on_demand(struct verbs *verbs, void *addr, size_t length);

/* These return how the operation ended, as enum ibv_wc_status. */
int verbs_read(struct verbs *verbs, const struct ibv_mr *mr, const void *addr, size_t length);
int verbs_write(struct verbs *verbs, const struct ibv_mr *mr, void *addr, size_t length);
/* The far side receives the beginning of the buffer at `addr`. */
int verbs_send(struct verbs *verbs, const struct ibv_mr *mr, void *addr, size_t length);
/* What was there is then at the beginning of the buffer. */
int verbs_add(struct verbs *verbs, const struct ibv_mr *mr, uint64_t *addr, uint64_t number);

#endif
