//! What the processor can do, as far as results depend on it.

/// Whether the processor computes in bfloat16; without, libtorch leaves oneDNN for loops of its own.
#[must_use]
pub fn has_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}
