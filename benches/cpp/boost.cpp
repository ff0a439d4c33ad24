// boost.context (fiber), with the same loops and the same stacks as the Rust peers.
//
// fiber carries no payload: the value lies in a word that both sides know, as in boost's own examples.

#include <boost/context/fiber.hpp>
#include <boost/version.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace ctx = boost::context;

// The slab of the bench crate (src/peers/boost.rs).
extern "C" void *bench_stack_take(std::size_t *bytes);
extern "C" void bench_stack_give(void *top);

namespace {

#define NEVER_INLINED __attribute__((noinline))

struct Stacks {
    ctx::stack_context allocate() {
        ctx::stack_context stack;
        stack.sp = bench_stack_take(&stack.size);
        return stack;
    }
    void deallocate(ctx::stack_context &stack) noexcept { bench_stack_give(stack.sp); }
};

struct Handle {
    std::size_t value = 0;
    ctx::fiber fiber;
};

struct Out {
    Handle *own;
    ctx::fiber back;
    std::size_t suspend(std::size_t value) {
        own->value = value;
        back = std::move(back).resume();
        return own->value;
    }
};

// The chains of src/work.rs. The step differs so that equal functions are not merged.
template <std::size_t Step, class O> NEVER_INLINED std::size_t one(O &out, std::size_t value) {
    return out.suspend(value + Step) + Step;
}
template <std::size_t Step, class O> NEVER_INLINED std::size_t two(O &out, std::size_t value) {
    return one<Step>(out, value + Step) + Step;
}
template <std::size_t Step, class O> NEVER_INLINED std::size_t three(O &out, std::size_t value) {
    return two<Step>(out, value + Step) + Step;
}
template <std::size_t Step, class O> NEVER_INLINED std::size_t four(O &out, std::size_t value) {
    return three<Step>(out, value + Step) + Step;
}

struct Zero {
    template <class O> std::size_t operator()(O &out, std::size_t v) { return out.suspend(v); }
};
template <std::size_t Step> struct Two {
    template <class O> std::size_t operator()(O &out, std::size_t v) { return two<Step>(out, v); }
};
struct Four {
    template <class O> std::size_t operator()(O &out, std::size_t v) { return four<1>(out, v); }
};

// A body that takes its step for ever.
template <class Body> void start(Handle &handle) {
    handle.fiber = ctx::fiber(std::allocator_arg, Stacks(), [&handle](ctx::fiber &&back) {
        Out out{&handle, std::move(back)};
        std::size_t value = handle.value;
        for (;;)
            value = Body()(out, value);
        return std::move(out.back);
    });
}

// A body that returns at once.
void start_finishing(Handle &handle) {
    handle.fiber = ctx::fiber(std::allocator_arg, Stacks(), [&handle](ctx::fiber &&back) {
        handle.value += 1;
        return std::move(back);
    });
}

inline std::size_t resume(Handle &handle, std::size_t value) {
    handle.value = value;
    handle.fiber = std::move(handle.fiber).resume();
    return handle.value;
}

NEVER_INLINED std::size_t resumer_one(Handle &handle, std::size_t value) {
    return resume(handle, value + 1) + 1;
}
NEVER_INLINED std::size_t resumer_two(Handle &handle, std::size_t value) {
    return resumer_one(handle, value + 1) + 1;
}

struct Case {
    virtual ~Case() = default;
    virtual std::size_t run(std::uint64_t laps) = 0;
};

template <class Body> struct RoundTrip : Case {
    Handle handle;
    RoundTrip() {
        start<Body>(handle);
        resume(handle, 0);
    }
    std::size_t run(std::uint64_t laps) override {
        std::size_t value = 0;
        for (; laps != 0; laps--)
            value = resume(handle, value);
        return value;
    }
};

struct FromTwoCalls : RoundTrip<Four> {
    std::size_t run(std::uint64_t laps) override {
        std::size_t value = 0;
        for (; laps != 0; laps--)
            value = resumer_two(handle, value);
        return value;
    }
};

template <class Even, class Odd> struct InTurn : Case {
    std::vector<Handle> handles;
    explicit InTurn(std::size_t count) : handles(count) {
        for (std::size_t i = 0; i < count; i++) {
            i % 2 == 0 ? start<Even>(handles[i]) : start<Odd>(handles[i]);
            resume(handles[i], 0);
        }
    }
    std::size_t run(std::uint64_t laps) override {
        std::size_t value = 0;
        for (; laps != 0; laps--)
            for (Handle &handle : handles)
                value = resume(handle, value);
        return value;
    }
};

// Siblings that resume one another: whoever is resumed gets the fiber that resumed it and puts it
// where that one's successor will be looked for.
struct Direct : Case {
    std::vector<ctx::fiber> fibers;
    ctx::fiber home;
    std::size_t left = 0, from = 0;

    struct Onward {
        Direct *ring;
        std::size_t own, next;
        std::size_t suspend(std::size_t value) {
            Direct &r = *ring;
            r.from = own;
            ctx::fiber &target = --r.left == 0 ? r.home : r.fibers[next];
            r.arrived(std::move(target).resume());
            return value;
        }
    };

    void arrived(ctx::fiber &&sender) {
        if (from == fibers.size())
            home = std::move(sender);
        else
            fibers[from] = std::move(sender);
    }

    explicit Direct(std::size_t count) : fibers(count) {
        for (std::size_t i = 0; i < count; i++)
            fibers[i] = ctx::fiber(std::allocator_arg, Stacks(), [this, i, count](ctx::fiber &&sender) {
                arrived(std::move(sender));
                Onward out{this, i, (i + 1) % count};
                for (std::size_t value = 0;;)
                    value = two<1>(out, value);
                return std::move(home);
            });
    }
    std::size_t run(std::uint64_t laps) override {
        left = laps * fibers.size();
        from = fibers.size();
        arrived(std::move(fibers[0]).resume());
        return left;
    }
};

struct Finish : Case {
    std::size_t run(std::uint64_t laps) override {
        std::size_t value = 0;
        for (; laps != 0; laps--) {
            Handle handle;
            start_finishing(handle);
            value = resume(handle, value);
        }
        return value;
    }
};

struct Kill : Case {
    std::size_t run(std::uint64_t laps) override {
        std::size_t value = 0;
        for (; laps != 0; laps--) {
            Handle handle;
            start<Two<1>>(handle);
            value = resume(handle, value);
        }
        return value;
    }
};

struct Unstarted : Case {
    std::size_t run(std::uint64_t laps) override {
        for (; laps != 0; laps--) {
            Handle handle;
            start_finishing(handle);
        }
        return 0;
    }
};

// A throw: a function put on top of the suspended stack raises there (fiber::resume_with).
struct ThrowUnwinding : Case {
    Handle handle;
    struct Raised {
        std::size_t value;
        ctx::fiber sender;
    };
    ThrowUnwinding() {
        handle.fiber = ctx::fiber(std::allocator_arg, Stacks(), [this](ctx::fiber &&back) {
            Out out{&handle, std::move(back)};
            std::size_t value = 0;
            for (;;) {
                try {
                    value = two<1>(out, value);
                } catch (Raised &raised) {
                    value = raised.value;
                    out.back = std::move(raised.sender);
                }
            }
            return std::move(out.back);
        });
        resume(handle, 0);
    }
    std::size_t run(std::uint64_t laps) override {
        std::size_t value = 0;
        for (; laps != 0; laps--) {
            handle.fiber = std::move(handle.fiber).resume_with([value](ctx::fiber &&sender) -> ctx::fiber {
                throw Raised{value, std::move(sender)};
            });
            value = handle.value;
        }
        return value;
    }
};

} // namespace

extern "C" {

const char *bench_boost_version() { return BOOST_LIB_VERSION; }

// Null when the question is not for boost.
Case *bench_boost_new(const char *what, std::size_t size) {
    auto is = [what](const char *name) { return std::strcmp(what, name) == 0; };
    if (is("round_trip") && size == 0) return new RoundTrip<Zero>();
    if (is("round_trip") && size == 2) return new RoundTrip<Two<1>>();
    if (is("round_trip") && size == 4) return new RoundTrip<Four>();
    if (is("resumer_two_deep")) return new FromTwoCalls();
    if (is("two_chains")) return new InTurn<Two<1>, Two<3>>(size);
    if (is("ring")) return new InTurn<Two<1>, Two<1>>(size);
    if (is("direct")) return new Direct(size);
    if (is("create_finish")) return new Finish();
    if (is("create_kill")) return new Kill();
    if (is("create_unstarted")) return new Unstarted();
    if (is("throw_unwinding")) return new ThrowUnwinding();
    return nullptr;
}

std::size_t bench_boost_run(Case *c, std::uint64_t laps) { return c->run(laps); }

void bench_boost_free(Case *c) { delete c; }
}
