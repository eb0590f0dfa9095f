// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_kvm_shadow [seed [operations]]: random ioctls, right and wrong ones, on
 * memory that changes at random, against a model that knows what each must do:
 * the errno, the memory afterwards, the dirty log, what the shadow may hold.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "fuzz_model.h"

#define OPERATIONS	6000

static void try_read(bool peeks)
{
	static unsigned char buffer[MAX_LENGTH + 1], wanted[MAX_LENGTH + 1];
	__u64 guest = some_guest(), length = some_length(), good = 0;
	const char *what = peeks ? "peek" : "read";
	bool wild = one_in(20);
	int ret, error = check_guest(guest, length, false);

	memset(buffer, 0x55, sizeof(buffer));
	memset(wanted, 0x55, sizeof(wanted));
	while (!error && good < length) {
		size_t offset = offset_of(guest + good);
		__u64 piece = PAGE - offset % PAGE;

		if (piece > length - good)
			piece = length - good;
		if (!(rights[offset / PAGE] & PROT_READ)) {
			error = peeks ? ENODATA : EFAULT;
			break;
		}
		memcpy(wanted + good, content + offset, piece);
		good += piece;
	}
	ret = (peeks ? ks_peek : ks_read)(vm, guest, wild ? (void *)nowhere : buffer, length);
	/* The shadow may hold any of what it could, or nothing. */
	if (peeks && ret && (!error || error == ENODATA)) {
		if (errno != ENODATA && !(wild && good && errno == EFAULT))
			wrong("peek: %s", strerrorname_np(errno));
		for (size_t i = 0; i < sizeof(buffer); i++)
			if (buffer[i] != 0x55)
				compare("peek", buffer + i, wanted + i, 1);
		return;
	}
	judge(what, ret, wild && !error ? EFAULT : error);
	if (!wild)
		compare(what, buffer, wanted, sizeof(buffer));
}

static void try_write(void)
{
	static unsigned char buffer[MAX_LENGTH];
	__u64 guest = some_guest(), length = some_length(), good = 0;
	bool wild = one_in(20);
	int ret, error = check_guest(guest, length, true);

	memset(buffer, (int)number(256), sizeof(buffer));
	if (!error && wild)
		error = EFAULT;
	while (!error && good < length) {
		size_t offset = offset_of(guest + good);
		__u64 piece = PAGE - offset % PAGE;

		if (piece > length - good)
			piece = length - good;
		if (!(rights[offset / PAGE] & PROT_WRITE)) {
			error = EFAULT;
			break;
		}
		memcpy(content + offset, buffer + good, piece);
		mark_dirty(offset / PAGE);
		good += piece;
	}
	ret = ks_write(vm, guest, wild ? (void *)nowhere : buffer, length);
	judge("write", ret, error);
}

static void try_states(void)
{
	unsigned char states[GUEST_PAGES];
	__u64 guest = some_guest(), pages = one_in(10) ? some_length() : 1 + number(8);
	int error;

	if (!one_in(4))
		guest &= ~(PAGE - 1);
	error = check_guest(guest, pages * PAGE, false);
	if (guest % PAGE || pages > ~0UL / PAGE)
		error = EINVAL;
	judge("state", ks_states(vm, guest, states, pages), error);
	for (__u64 page = 0; !error && page < pages; page++) {
		int right = rights[offset_of(guest + page * PAGE) / PAGE];
		unsigned char it = states[page];

		if (it > 15 || (it && !(it & KVM_SHADOW_PRESENT)) ||
		    (it & KVM_SHADOW_DIRTY && !(it & KVM_SHADOW_WRITABLE)) ||
		    (it & KVM_SHADOW_PRESENT && !(right & PROT_READ)) ||
		    (it & KVM_SHADOW_WRITABLE && !(right & PROT_WRITE)))
			wrong("state: %#x of a page with rights %#x", it, right);
	}
}

static void try_dirty(void)
{
	unsigned int which = one_in(20) ? (unsigned int)number(1UL << 32) : number(USED_SLOTS);
	struct kvm_shadow_dirty arg = { which, 0, 0 };
	__u64 bitmap = ~0UL, wanted = 0;
	struct slot *slot = slots + which % KVM_SHADOW_SLOTS;
	bool wild = one_in(10);
	int error = 0;

	arg.bitmap = (uintptr_t)(wild ? (void *)nowhere : &bitmap);
	if (one_in(20))
		arg.pad = 1 + (unsigned int)number(~0U);
	if (arg.pad || which >= KVM_SHADOW_SLOTS)
		error = EINVAL;
	else if (!slot->there || !(slot->flags & KVM_SHADOW_LOG_DIRTY))
		error = ENOENT;
	else if (wild)
		error = EFAULT;
	judge("dirty log", ioctl(vm, KVM_SHADOW_GET_DIRTY, &arg), error);
	if (error)
		return;
	for (size_t page = 0; page < slot->pages; page++)
		wanted |= (__u64)slot->dirty[page] << page;
	if (bitmap != wanted)
		wrong("dirty log: %#llx, expected %#llx", bitmap, wanted);
	memset(slot->dirty, 0, sizeof(slot->dirty));
}

static void try_set_slot(void)
{
	static const __u64 odd[] = { 1, PAGE / 2, 1UL << 63, ~0UL - PAGE + 1, ~0UL };
	struct slot wanted = {
		.there = true,
		.guest = number(GUEST_PAGES - AREA_PAGES),
		.pages = 1 + number(one_in(4) ? AREA_PAGES : 8),
		.flags = (unsigned int)number(4),
	};
	unsigned int which = number(USED_SLOTS);
	struct kvm_shadow_slot arg;
	int error;

	wanted.user = number(AREA_PAGES + 1 - wanted.pages);
	if (slots[which].there && one_in(2)) {
		/* The same again, perhaps with other flags. */
		wanted = slots[which];
		wanted.flags = (unsigned int)number(4);
	}
	arg = (struct kvm_shadow_slot){ GUEST_PAGE(wanted.guest), wanted.pages * PAGE,
					(uintptr_t)area + wanted.user * PAGE, which, wanted.flags };
	if (one_in(4)) {
		__u64 off = odd[number(sizeof(odd) / sizeof(odd[0]))];

		error = EINVAL;
		switch (number(5)) {
		case 0:
			arg.guest_addr |= off;
			/* Half of the addresses, and then some: that may be right after all. */
			if (off == 1UL << 63)
				return;
			if (off == ~0UL - PAGE + 1)
				arg.size = PAGE;
			break;
		case 1:
			arg.size |= off;
			break;
		case 2:
			arg.user_addr |= off | 1;
			break;
		case 3:
			arg.slot = KVM_SHADOW_SLOTS + (unsigned int)number(~0U - KVM_SHADOW_SLOTS);
			break;
		case 4:
			arg.flags |= 4U << number(30);
			break;
		}
	} else {
		error = set_slot(which, wanted);
	}
	judge("set slot", ioctl(vm, KVM_SHADOW_SET_SLOT, &arg), error);
}

static void try_delete_slot(void)
{
	unsigned int which = one_in(10) ? (unsigned int)number(1UL << 32) : number(USED_SLOTS);
	int error = EINVAL;

	if (which < KVM_SHADOW_SLOTS)
		error = slots[which].there ? 0 : ENOENT;
	judge("delete slot", ks_delete(vm, which), error);
	if (!error)
		slots[which].there = false;
}

/* Neither is any of ours: other numbers, sizes, directions, and structures out of reach. */
static void try_garbage(void)
{
	static const unsigned int known[] = {
		KVM_SHADOW_SET_SLOT, KVM_SHADOW_READ, KVM_SHADOW_WRITE, KVM_SHADOW_PEEK,
		KVM_SHADOW_STATE, KVM_SHADOW_GET_DIRTY, KVM_SHADOW_STATS,
	};
	const size_t count = sizeof(known) / sizeof(known[0]);
	unsigned int cmd = known[number(count)];

	if (one_in(2)) {
		judge("no argument", ioctl(vm, cmd, nowhere + number(PAGE)), EFAULT);
		return;
	}
	cmd ^= 1U << (8 + number(24));
	if (one_in(2))
		cmd = _IOC(_IOC_READ, 0xB6, 7 + number(249), number(64));
	for (size_t i = 0; i < count; i++)
		if (cmd == known[i])
			return;
	judge("unknown ioctl", ioctl(vm, cmd, nowhere), ENOTTY);
}

static void map_page(size_t page, int prot)
{
	void *at = area + page * PAGE;

	if (mmap(at, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	memset(content + page * PAGE, 0, PAGE);
	rights[page] = prot;
}

/* The process changes its memory, and what it is. */
static void change_memory(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW, RW };
	size_t page = number(AREA_PAGES), offset = number(AREA_SIZE);
	int status, prot = prots[number(5)], advice;
	char *at = area + page * PAGE;
	pid_t child;

	switch (number(9)) {
	case 0:
		if (munmap(at, PAGE))
			ksft_exit_fail_msg("munmap: %s\n", strerror(errno));
		rights[page] = 0;
		break;
	case 1:
	case 2:
	case 7:
	case 8:
		map_page(page, RW);
		break;
	case 3:
		if (!mprotect(at, PAGE, prot))
			rights[page] = prot;
		break;
	case 4:
		advice = one_in(2) ? MADV_DONTNEED : MADV_PAGEOUT;
		if (!madvise(at, PAGE, advice) && advice == MADV_DONTNEED)
			memset(content + page * PAGE, 0, PAGE);
		break;
	case 5:
		if (rights[offset / PAGE] & PROT_WRITE)
			area[offset] = (char)(content[offset] = (unsigned char)number(256));
		break;
	case 6:
		child = fork();
		if (!child)
			_exit(0);
		if (child > 0)
			waitpid(child, &status, 0);
		break;
	}
}

static void compare_memory(void)
{
	for (size_t page = 0; page < AREA_PAGES; page++)
		if (rights[page] & PROT_READ)
			compare("memory", area + page * PAGE, content + page * PAGE, PAGE);
}

static void new_machine(void)
{
	vm = ks_open();
	if (vm < 0)
		ksft_exit_fail_msg("%s: %s\n", KVM_SHADOW_DEVICE, strerror(errno));
	memset(slots, 0, sizeof(slots));
	for (int i = 0; i < USED_SLOTS; i++)
		try_set_slot();
}

static void one_operation(void)
{
	switch (number(16)) {
	case 0:
	case 1:
	case 2:
		try_read(false);
		break;
	case 3:
	case 4:
		try_read(true);
		break;
	case 5:
	case 6:
	case 7:
		try_write();
		break;
	case 8:
		try_states();
		break;
	case 9:
	case 10:
		try_dirty();
		break;
	case 11:
		try_set_slot();
		break;
	case 12:
		if (one_in(3))
			try_delete_slot();
		break;
	case 13:
		try_garbage();
		break;
	default:
		change_memory();
	}
	if (one_in(50))
		compare_memory();
	if (one_in(1000)) {
		close(vm);
		new_machine();
	}
}

int main(int argc, char **argv)
{
	unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 0) : OPERATIONS;

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("seed %llu, %lu operations\n", seed, operations);
	/* Unmapped pages are part of it: nobody else must come to lie there. */
	area = (char *)(1UL << 40);
	nowhere = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t page = 0; page < AREA_PAGES; page++)
		map_page(page, RW);
	new_machine();
	for (done = 0; done < operations; done++)
		one_operation();
	compare_memory();
	ksft_print_msg("%lu ioctls succeeded\n", succeeded);
	ksft_test_result_pass("fuzz_kvm_shadow\n");
	ksft_finished();
}
