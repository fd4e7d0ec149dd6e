// Building blocks of the CPU code: bytes that are read or written, and units of them.

#ifndef TFAE_OPS_SUBPIXEL_UNIT_H_
#define TFAE_OPS_SUBPIXEL_UNIT_H_

#include <cstdint>
#include <type_traits>

// One version of a hot loop for each generation of vector units, chosen when the library is loaded.
// The sanitizers cannot follow that choice.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TFAE_VECTOR_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define TFAE_VECTOR_CLONES
#endif

// For the parts of such a loop: a function that is not inlined into it is not cloned with it.
#define TFAE_PART inline __attribute__((always_inline))

namespace tfae {

// A side that is read has const bytes; one that is written has not.
template <bool kRead>
using Side = std::conditional_t<kRead, const char, char>;

// A unit of kBytes: a run of two floats moves as one number of 8 bytes.
template <int kBytes>
struct Unit;

#define TFAE_UNIT(bytes, type) \
  template <>                  \
  struct Unit<bytes> {         \
    typedef type Type;         \
  };
typedef uint64_t Two __attribute__((vector_size(16)));
TFAE_UNIT(1, uint8_t)
TFAE_UNIT(2, uint16_t)
TFAE_UNIT(4, uint32_t)
TFAE_UNIT(8, uint64_t)
TFAE_UNIT(16, Two)
#undef TFAE_UNIT

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_UNIT_H_
