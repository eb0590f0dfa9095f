// SPDX-License-Identifier: GPL-2.0 OR MIT
#define _GNU_SOURCE
#include "verbs.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PORT		1
/* Only to end what hangs. */
#define TIMEOUT_SECONDS	100

enum { OF_THE_SENDER = 1, OF_THE_RECEIVER };

static char said[256];

static __attribute__((format(printf, 1, 2))) const char *say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	return said;
}

/* The address must be of IP version 4: it has a route as soon as it is given. */
static const char *find_gid(struct verbs *verbs)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	for (int i = 0; !ibv_query_gid(verbs->context, PORT, i, &verbs->gid); i++) {
		if (memcmp(verbs->gid.raw, mapped, sizeof(mapped)))
			continue;
		verbs->gid_index = i;
		return NULL;
	}
	return "the device has no IPv4 address";
}

const char *verbs_open(struct verbs *verbs)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	if (!list || !list[0])
		return "there is no RDMA device";
	verbs->context = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	if (!verbs->context)
		return say("the device does not open: %s", strerror(errno));
	if (ibv_query_device_ex(verbs->context, NULL, &verbs->device))
		return say("the device does not tell what it can: %s", strerror(errno));
	verbs->pd = ibv_alloc_pd(verbs->context);
	verbs->cq = ibv_create_cq(verbs->context, 16, NULL, NULL, 0);
	verbs->buffer = mmap(NULL, VERBS_BUFFER, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!verbs->pd || !verbs->cq || verbs->buffer == MAP_FAILED)
		return say("no domain, queue or buffer: %s", strerror(errno));
	/* It is pinned: a child's pages are its own. */
	madvise(verbs->buffer, VERBS_BUFFER, MADV_DONTFORK);
	verbs->buffer_mr = ibv_reg_mr(verbs->pd, verbs->buffer, VERBS_BUFFER,
				      IBV_ACCESS_LOCAL_WRITE);
	if (!verbs->buffer_mr)
		return say("the buffer cannot be registered: %s", strerror(errno));
	return find_gid(verbs) ?: verbs_connect(verbs);
}

void verbs_close(struct verbs *verbs)
{
	verbs_disconnect(verbs);
	ibv_dereg_mr(verbs->buffer_mr);
	munmap(verbs->buffer, VERBS_BUFFER);
	ibv_destroy_cq(verbs->cq);
	ibv_dealloc_pd(verbs->pd);
	ibv_close_device(verbs->context);
}

/* Connections. A packet is a page: see part_of_a_page in rdma_odp.c. */

static struct ibv_qp *create(struct verbs *verbs)
{
	struct ibv_qp_init_attr attr = {
		.send_cq = verbs->cq,
		.recv_cq = verbs->cq,
		.cap = {
			.max_send_wr = 4,
			.max_recv_wr = 4,
			.max_send_sge = 1,
			.max_recv_sge = 1,
		},
		.qp_type = IBV_QPT_RC,
	};

	return ibv_create_qp(verbs->pd, &attr);
}

static int connect_to(struct verbs *verbs, struct ibv_qp *qp, const struct ibv_qp *other)
{
	struct ibv_qp_attr init = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE |
				   IBV_ACCESS_REMOTE_ATOMIC,
	};
	struct ibv_qp_attr receive = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_4096,
		.dest_qp_num = other->qp_num,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 1,
		.ah_attr = {
			.is_global = 1,
			.port_num = PORT,
			.grh = {
				.dgid = verbs->gid,
				.sgid_index = verbs->gid_index,
				.hop_limit = 1,
			},
		},
	};
	/* Time-outs of seconds, seven of them: a slow machine must not look like a lost packet. */
	struct ibv_qp_attr send = {
		.qp_state = IBV_QPS_RTS,
		.timeout = 20,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};

	return ibv_modify_qp(qp, &init, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
					IBV_QP_ACCESS_FLAGS) ?:
	       ibv_modify_qp(qp, &receive, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
					   IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
					   IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER) ?:
	       ibv_modify_qp(qp, &send, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
					IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
					IBV_QP_MAX_QP_RD_ATOMIC);
}

const char *verbs_connect(struct verbs *verbs)
{
	int error;

	verbs->near = create(verbs);
	verbs->far = create(verbs);
	if (!verbs->near || !verbs->far)
		return say("no queue pair: %s", strerror(errno));
	error = connect_to(verbs, verbs->near, verbs->far) ?:
		connect_to(verbs, verbs->far, verbs->near);
	return error ? say("the queue pairs do not connect: %s", strerror(error)) : NULL;
}

void verbs_disconnect(struct verbs *verbs)
{
	struct ibv_wc wc;

	ibv_destroy_qp(verbs->near);
	ibv_destroy_qp(verbs->far);
	while (ibv_poll_cq(verbs->cq, 1, &wc) > 0)
		;
}

struct ibv_mr *verbs_on_demand(struct verbs *verbs, void *addr, size_t length)
{
	return ibv_reg_mr(verbs->pd, addr, length,
			  IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ |
			  IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC |
			  IBV_ACCESS_ON_DEMAND);
}

/* Operations */

/* Waits for the end of `count` operations; returns the first status that is not success. */
static int complete(struct verbs *verbs, int count)
{
	struct timespec now, end;
	struct ibv_wc wc;
	int status = IBV_WC_SUCCESS;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += TIMEOUT_SECONDS;
	while (count) {
		int found = ibv_poll_cq(verbs->cq, 1, &wc);

		if (found < 0)
			return IBV_WC_GENERAL_ERR;
		if (found) {
			count--;
			if (status == IBV_WC_SUCCESS)
				status = wc.status;
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return IBV_WC_RESP_TIMEOUT_ERR;
		sched_yield();
	}
	return status;
}

static int post(struct verbs *verbs, struct ibv_send_wr *wr, size_t length)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)verbs->buffer,
		.length = length,
		.lkey = verbs->buffer_mr->lkey,
	};
	struct ibv_send_wr *bad;

	wr->wr_id = OF_THE_SENDER;
	wr->sg_list = &sge;
	wr->num_sge = 1;
	wr->send_flags = IBV_SEND_SIGNALED;
	return ibv_post_send(verbs->near, wr, &bad);
}

static int access_remote(struct verbs *verbs, enum ibv_wr_opcode opcode, const struct ibv_mr *mr,
			 const void *addr, size_t length)
{
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.wr.rdma = { .remote_addr = (uintptr_t)addr, .rkey = mr->rkey },
	};

	return post(verbs, &wr, length) ? IBV_WC_GENERAL_ERR : complete(verbs, 1);
}

int verbs_read(struct verbs *verbs, const struct ibv_mr *mr, const void *addr, size_t length)
{
	return access_remote(verbs, IBV_WR_RDMA_READ, mr, addr, length);
}

int verbs_write(struct verbs *verbs, const struct ibv_mr *mr, void *addr, size_t length)
{
	return access_remote(verbs, IBV_WR_RDMA_WRITE, mr, addr, length);
}

int verbs_send(struct verbs *verbs, const struct ibv_mr *mr, void *addr, size_t length)
{
	struct ibv_sge sge = { .addr = (uintptr_t)addr, .length = length, .lkey = mr->lkey };
	struct ibv_recv_wr receive = { .wr_id = OF_THE_RECEIVER, .sg_list = &sge, .num_sge = 1 };
	struct ibv_send_wr wr = { .opcode = IBV_WR_SEND };
	struct ibv_recv_wr *bad;

	if (ibv_post_recv(verbs->far, &receive, &bad) || post(verbs, &wr, length))
		return IBV_WC_GENERAL_ERR;
	return complete(verbs, 2);
}

int verbs_add(struct verbs *verbs, const struct ibv_mr *mr, uint64_t *addr, uint64_t number)
{
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		.wr.atomic = {
			.remote_addr = (uintptr_t)addr,
			.compare_add = number,
			.rkey = mr->rkey,
		},
	};

	return post(verbs, &wr, sizeof(number)) ? IBV_WC_GENERAL_ERR : complete(verbs, 1);
}
