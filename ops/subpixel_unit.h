// What the CPU moves are written with: bytes that are read or written, and units of them.

#ifndef TFAE_OPS_SUBPIXEL_UNIT_H_
#define TFAE_OPS_SUBPIXEL_UNIT_H_

#include <cstdint>
#include <type_traits>

// One version of a hot loop for each generation of vector units, chosen when the library is loaded.
// The sanitizers cannot follow that choice.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TFAE_VECTOR_CLONES __attribute__((target_clones("default", "arch=haswell")))
#else
#define TFAE_VECTOR_CLONES
#endif

namespace tfae {

// A side that is read has const bytes; one that is written has not.
template <bool kRead>
using Side = std::conditional_t<kRead, const char, char>;

// A unit of kBytes that may lie anywhere: a run of two floats moves as one number of 8 bytes. Two
// specialisations for each size, since a template argument would lose the attributes.
template <int kBytes, bool kRead>
struct Unit;

typedef uint64_t Two __attribute__((vector_size(16)));
typedef uint64_t Four __attribute__((vector_size(32)));

#define TFAE_UNIT(bytes, type)                                      \
  template <>                                                       \
  struct Unit<bytes, true> {                                        \
    typedef const type Type __attribute__((aligned(1), may_alias)); \
  };                                                                \
  template <>                                                       \
  struct Unit<bytes, false> {                                       \
    typedef type Type __attribute__((aligned(1), may_alias));       \
  };
TFAE_UNIT(1, uint8_t)
TFAE_UNIT(2, uint16_t)
TFAE_UNIT(4, uint32_t)
TFAE_UNIT(8, uint64_t)
TFAE_UNIT(16, Two)
TFAE_UNIT(32, Four)
#undef TFAE_UNIT

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_UNIT_H_
