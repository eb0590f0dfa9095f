// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gru.h"
#include "kvm_shadow.h"
#include "recorder.h"
#include "secondary.h"

/* One of the two devices; the functions return 0 or errno. */
struct device {
	const char *name;
	int (*peek)(const void *addr, size_t length, void *buffer);
	int (*read)(const void *addr, size_t length, void *buffer);
	int (*write)(void *addr, uint64_t word);
	size_t word;	/* the word of a page that it writes */
};

static int vm = -1, tlb = -1;
static unsigned int slots;
/* Where the TLB's instructions copy to. */
static void *scratch;
static uint64_t stamp;

static char said[256];

static __attribute__((format(printf, 1, 2))) const char *say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	return said;
}

/* The processor's accesses */

static __thread sigjmp_buf on_fault;
static __thread volatile sig_atomic_t guarded;

static void fault(int signal)
{
	if (guarded)
		siglongjmp(on_fault, 1);
	/* Not ours: comes again, and ends the test. */
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

static void guard(void)
{
	static bool installed;
	struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	if (!installed) {
		sigaction(SIGSEGV, &action, NULL);
		sigaction(SIGBUS, &action, NULL);
		installed = true;
	}
	guarded = 1;
}

bool cpu_read(const void *addr, size_t length, void *buffer)
{
	const volatile uint64_t *from = addr;
	uint64_t *to = buffer;

	if (sigsetjmp(on_fault, 1)) {
		guarded = 0;
		return false;
	}
	guard();
	for (size_t i = 0; i < length / sizeof(*to); i++)
		to[i] = from[i];
	guarded = 0;
	return true;
}

bool cpu_write(void *addr, uint64_t word)
{
	if (sigsetjmp(on_fault, 1)) {
		guarded = 0;
		return false;
	}
	guard();
	*(volatile uint64_t *)addr = word;
	guarded = 0;
	return true;
}

/* The devices */

static int vm_memory(unsigned long request, const void *addr, size_t length,
		     const void *buffer)
{
	struct kvm_shadow_memory memory = {
		.guest_addr = (uintptr_t)addr,
		.length = length,
		.buffer = (uintptr_t)buffer,
	};

	return ioctl(vm, request, &memory) ? errno : 0;
}

int secondary_vm_peek(const void *addr, size_t length, void *buffer)
{
	return vm_memory(KVM_SHADOW_PEEK, addr, length, buffer);
}

int secondary_vm_read(const void *addr, size_t length, void *buffer)
{
	return vm_memory(KVM_SHADOW_READ, addr, length, buffer);
}

int secondary_vm_write(void *addr, size_t length, const void *buffer)
{
	return vm_memory(KVM_SHADOW_WRITE, addr, length, buffer);
}

static int vm_write_word(void *addr, uint64_t word)
{
	return secondary_vm_write(addr, sizeof(word), &word);
}

int secondary_state(const void *page)
{
	uint8_t state;
	struct kvm_shadow_state args = {
		.guest_addr = (uintptr_t)page,
		.pages = 1,
		.states = (uintptr_t)&state,
	};

	return ioctl(vm, KVM_SHADOW_STATE, &args) ? -1 : state;
}

int secondary_tlb_peek(const void *addr, size_t length, void *buffer)
{
	struct gru_peek args = {
		.addr = (uintptr_t)addr,
		.length = length,
		.buffer = (uintptr_t)buffer,
	};

	return ioctl(tlb, GRU_PEEK, &args) ? errno : 0;
}

static int tlb_run(struct gru_instruction *instruction)
{
	struct gru_run args = {
		.instructions = (uintptr_t)instruction,
		.count = 1,
	};

	return ioctl(tlb, GRU_RUN, &args) ? errno : 0;
}

int secondary_tlb_read(const void *addr, size_t length, void *buffer)
{
	struct gru_instruction copy = {
		.op = GRU_OP_COPY,
		.dst = (uintptr_t)scratch,
		.src = (uintptr_t)addr,
		.length = length,
	};
	int error = tlb_run(&copy);

	if (!error)
		memcpy(buffer, scratch, length);
	return error;
}

int secondary_tlb_write(void *addr, uint64_t word)
{
	struct gru_instruction fill = {
		.op = GRU_OP_FILL,
		.dst = (uintptr_t)addr,
		.length = sizeof(word),
		.value = word,
	};

	return tlb_run(&fill);
}

static const struct device devices[] = {
	{
		.name = "the machine",
		.peek = secondary_vm_peek,
		.read = secondary_vm_read,
		.write = vm_write_word,
		.word = PAGE - 2 * sizeof(uint64_t),
	}, {
		.name = "the TLB",
		.peek = secondary_tlb_peek,
		.read = secondary_tlb_read,
		.write = secondary_tlb_write,
		.word = PAGE - sizeof(uint64_t),
	},
};

#define FOR_EACH_DEVICE(device) \
	for (const struct device *device = devices; device < devices + 2; device++)
#define FOR_EACH_PAGE(page, area, size) \
	for (char *page = (area); page < (char *)(area) + (size); page += PAGE)

static const char *open_devices(void)
{
	struct gru_configure flush = {
		.model = GRU_MODEL_FLUSH,
		.tlb_entries = GRU_TLB_MAX,
	};

	if (vm >= 0 && tlb >= 0)
		return NULL;
	vm = open(KVM_SHADOW_DEVICE, O_RDWR | O_CLOEXEC);
	if (vm < 0)
		return say("%s: %s", KVM_SHADOW_DEVICE, strerror(errno));
	tlb = open("/dev/gru", O_RDWR | O_CLOEXEC);
	if (tlb < 0 || ioctl(tlb, GRU_CONFIGURE, &flush))
		return say("/dev/gru: %s", strerror(errno));
	if (recorder_subscribe())
		return say("the record: %s", strerror(errno));
	scratch = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return scratch == MAP_FAILED ? say("scratch: %s", strerror(errno)) : NULL;
}

int secondary_vm(void)
{
	return open_devices() ? -1 : vm;
}

int secondary_tlb(void)
{
	return open_devices() ? -1 : tlb;
}

void secondary_adopt(int vm_of_other, int tlb_of_other)
{
	vm = vm_of_other;
	tlb = tlb_of_other;
}

void secondary_reopen(void)
{
	if (vm >= 0)
		close(vm);
	if (tlb >= 0)
		close(tlb);
	vm = tlb = -1;
	slots = 0;
}

/* What the macros call */

const char *secondary_try_map(void *area, size_t size)
{
	const char *wrong = open_devices();
	struct kvm_shadow_slot slot = {
		.guest_addr = (uintptr_t)area,
		.size = size,
		.user_addr = (uintptr_t)area,
		.slot = slots,
	};

	if (wrong)
		return wrong;
	if (ioctl(vm, KVM_SHADOW_SET_SLOT, &slot))
		return say("slot %u: %s", slots, strerror(errno));
	if (recorder_watch(area, size))
		return say("the record: %s", strerror(errno));
	slots++;
	return NULL;
}

const char *secondary_try_fill(void *area, size_t size)
{
	for (size_t at = 0; at < size; at += sizeof(stamp))
		if (!cpu_write(area + at, ++stamp << 16 | 0x5ec0))
			return say("no store to %p", area + at);
	return NULL;
}

static const char *touch(const struct device *device, char *page, bool writing)
{
	uint64_t word, seen;
	int error = device->read(page, sizeof(word), &word);

	if (error)
		return say("%s cannot read %p: %s", device->name, page, strerror(error));
	if (writing)
		error = device->write(page, word);
	if (error && error != EFAULT)
		return say("%s cannot write %p: %s", device->name, page, strerror(error));
	error = device->peek(page, sizeof(seen), &seen);
	if (error || seen != word)
		return say("%s does not hold %p, just used: %s", device->name, page,
			   error ? strerror(error) : "another word");
	return NULL;
}

const char *secondary_try_touch(void *area, size_t size, bool writing)
{
	const char *wrong = NULL;

	FOR_EACH_PAGE(page, area, size)
		FOR_EACH_DEVICE(device) {
			wrong = touch(device, page, writing);
			if (wrong)
				return wrong;
		}
	return wrong;
}

static const char *holds_nothing(const struct device *device, void *area, size_t size)
{
	uint64_t word;

	FOR_EACH_PAGE(page, area, size) {
		int error = device->peek(page, sizeof(word), &word);

		if (error != ENODATA)
			return say("page %zu: %s %s", (page - (char *)area) / PAGE, device->name,
				   error ? strerror(error) : "still holds it");
	}
	return NULL;
}

const char *secondary_try_dropped(void *area, size_t size)
{
	return holds_nothing(&devices[0], area, size);
}

const char *secondary_try_flushed(void *area, size_t size)
{
	return holds_nothing(&devices[1], area, size);
}

const char *secondary_try_protected(void *area, size_t size)
{
	FOR_EACH_PAGE(page, area, size) {
		int state = secondary_state(page);

		if (state < 0 || state & KVM_SHADOW_WRITABLE)
			return say("page %zu is writable by the machine (state %d)",
				   (page - (char *)area) / PAGE, state);
	}
	return NULL;
}

/* What it holds now: nothing, or what the processor sees. */
static const char *holds(const struct device *device, const uint64_t *held, int error,
			 bool readable, const uint64_t *seen)
{
	if (error == ENODATA)
		return NULL;
	if (error)
		return say("%s cannot be looked into: %s", device->name, strerror(error));
	if (!readable)
		return say("%s still reads where the processor faults", device->name);
	if (memcmp(held, seen, PAGE))
		return say("%s reads what is no longer there", device->name);
	return NULL;
}

static const char *finds(const struct device *device, char *page, bool readable,
			 const uint64_t *seen)
{
	static uint64_t found[PAGE / sizeof(uint64_t)];
	int error = device->read(page, PAGE, found);

	if (error && error != EFAULT)
		return say("%s cannot read: %s", device->name, strerror(error));
	if (!error != readable)
		return say("%s %s where the processor %s", device->name,
			   error ? "faults" : "reads", readable ? "reads" : "faults");
	if (readable && memcmp(found, seen, PAGE))
		return say("%s finds something else than the processor", device->name);
	return NULL;
}

/* Does everyone read the word that one of them has just stored at `addr`? */
static const char *all_read(const char *who, const char *addr, uint64_t word)
{
	uint64_t seen;

	if (!cpu_read(addr, sizeof(seen), &seen) || seen != word)
		return say("the processor does not read what %s wrote", who);
	FOR_EACH_DEVICE(device) {
		int error = device->peek(addr, sizeof(seen), &seen);

		if (error != ENODATA && (error || seen != word))
			return say("%s holds what was there before %s wrote",
				   device->name, who);
		if (device->read(addr, sizeof(seen), &seen) || seen != word)
			return say("%s does not read what %s wrote", device->name, who);
	}
	return NULL;
}

static const char *cpu_writes(char *page)
{
	char *addr = page + PAGE - sizeof(stamp);

	if (cpu_write(addr, ++stamp))
		return all_read("the processor", addr, stamp);
	FOR_EACH_DEVICE(device) {
		int error = device->write(addr, stamp);

		if (error != EFAULT)
			return say("%s writes where the processor may not: %s",
				   device->name, strerror(error));
	}
	return NULL;
}

static const char *device_writes(const struct device *device, char *page)
{
	char *addr = page + device->word;
	int error = device->write(addr, ++stamp);

	/* Whether it should be able to is told by the processor's turn. */
	return error ? (error == EFAULT ? NULL : say("%s cannot write: %s", device->name,
						     strerror(error)))
		     : all_read(device->name, addr, stamp);
}

/*
 * Who writes first decides what is found: the devices where the machine holds
 * a writable entry, which may be to a page that has gone; else the processor,
 * before the devices look a read-only entry up again.
 */
static const char *writes(char *page)
{
	int state = secondary_state(page);
	bool devices_first = state > 0 && state & KVM_SHADOW_WRITABLE;
	const char *wrong = devices_first ? NULL : cpu_writes(page);

	FOR_EACH_DEVICE(device)
		if (!wrong)
			wrong = device_writes(device, page);
	return !wrong && devices_first ? cpu_writes(page) : wrong;
}

static const char *page_agrees(char *page, bool writing)
{
	static uint64_t held[2][PAGE / sizeof(uint64_t)], seen[PAGE / sizeof(uint64_t)];
	const char *wrong = NULL;
	int errors[2];
	bool readable;

	/* The devices first: what the processor does can bring the page in. */
	FOR_EACH_DEVICE(device)
		errors[device - devices] = device->peek(page, PAGE, held[device - devices]);
	readable = cpu_read(page, PAGE, seen);
	FOR_EACH_DEVICE(device) {
		int i = device - devices;

		wrong = wrong ?: holds(device, held[i], errors[i], readable, seen);
	}
	FOR_EACH_DEVICE(device)
		wrong = wrong ?: finds(device, page, readable, seen);
	return wrong || !writing ? wrong : writes(page);
}

const char *secondary_try_agrees(void *area, size_t size, bool writing)
{
	static char where[sizeof(said) + 64];

	FOR_EACH_PAGE(page, area, size) {
		const char *wrong = page_agrees(page, writing);

		if (wrong) {
			snprintf(where, sizeof(where), "page %zu: %s",
				 (page - (char *)area) / PAGE, wrong);
			return where;
		}
	}
	return NULL;
}
