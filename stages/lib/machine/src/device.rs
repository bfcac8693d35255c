//! Where the network runs: device, arithmetic, threads.

use deepmcat_config::has_bfloat16;
use deepmcat_schemas::jobs;
use deepmcat_schemas::jobs::compute::Arithmetic;
use deepmcat_stage::Means;
use tch::{Cuda, Device, Kind};

use crate::Error;

/// The device and arithmetic that a job asks for.
#[derive(Debug, Clone, Copy)]
pub struct Compute {
    /// Device of weights and batches.
    pub device: Device,
    /// Kind of convolutions and matrix products; weights and norms stay in single precision.
    pub kind: Kind,
    /// Threads of this process.
    pub threads: usize,
}

impl Compute {
    /// Checks the device and sets the threads of libtorch and of rayon for this process.
    ///
    /// # Errors
    /// When CUDA is asked for and this build of libtorch or this machine has none, or when the system starts no more
    /// threads.
    pub fn start(job: jobs::Compute, means: &Means) -> Result<Self, Error> {
        let device = device(job.device, means.device.as_deref())?;
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = match means.threads {
            0 => all,
            threads => threads,
        };
        keep_freed_memory();
        tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
        deepmcat_stage::set_threads(threads)?;
        if device.is_cuda() {
            same_bits();
        }
        let kind = match job.precision {
            Some(Arithmetic::Bfloat16) => Kind::BFloat16,
            Some(Arithmetic::Float32) | None => Kind::Float,
        };
        if kind == Kind::BFloat16 && device == Device::Cpu && !has_bfloat16() {
            tracing::warn!("this processor has no bfloat16: compute.precision = \"float32\" is ten times faster here");
        }
        Ok(Self { device, kind, threads })
    }

    /// The processor in single precision, with the threads as they are.
    #[must_use]
    pub fn cpu() -> Self {
        Self { device: Device::Cpu, kind: Kind::Float, threads: 1 }
    }
}

/// Keeps freed memory in the process instead of handing it back to the system.
///
/// Every step allocates the same megabytes for activations and frees them. glibc unmaps such blocks at once, and the
/// page faults of mapping them anew took 40 % of a training step.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt changes nothing but the allocator's settings, and takes its lock.
    #[allow(unsafe_code)] // the standard library has no other way to them
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}

/// Has cuDNN take only kernels that give the same bits every time: its fastest gradients of weights in single precision
/// add up in whatever order they come.
fn same_bits() {
    // SAFETY: at::globalContext() gives the one context of the process, which lives as long as it, and
    // Context::setDeterministicCuDNN(bool) sets a flag of it. The linker refuses a libtorch that has not both.
    #[cfg(unix)]
    #[allow(unsafe_code)] // tch has no name for it
    unsafe {
        unsafe extern "C" {
            #[link_name = "_ZN2at13globalContextEv"]
            fn global_context() -> *mut std::ffi::c_void;
            #[link_name = "_ZN2at7Context21setDeterministicCuDNNEb"]
            fn set_deterministic_cudnn(context: *mut std::ffi::c_void, deterministic: bool);
        }
        set_deterministic_cudnn(global_context(), true);
    }
}

/// The device of a job that is there: of several cards the one that is asked for, `cuda:N`.
fn device(kind: jobs::compute::Device, asked: Option<&str>) -> Result<Device, Error> {
    let name = if kind == jobs::compute::Device::Cpu { "cpu" } else { "cuda" };
    let refuse = |reason: String| Error::Device { asked: asked.unwrap_or(name).to_owned(), reason };
    let number = match (name, asked) {
        ("cpu", None | Some("cpu")) => return Ok(Device::Cpu),
        ("cpu", Some(_)) => return Err(refuse("the job is one for the processor".to_owned())),
        (_, None | Some("cuda")) => None,
        (_, Some(card)) => {
            let number: Option<usize> = card.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            Some(number.ok_or_else(|| refuse("the job is one for a card: cuda or cuda:N".to_owned()))?)
        }
    };
    if !tch::utils::has_cuda() || !Cuda::is_available() {
        return Err(refuse("this libtorch sees no CUDA device".to_owned()));
    }
    let devices = usize::try_from(Cuda::device_count()).unwrap_or_default();
    let number = number.unwrap_or_else(|| card_of_runner() % devices.max(1));
    if number >= devices {
        return Err(refuse(format!("there are {devices} CUDA devices, numbered from 0")));
    }
    Ok(Device::Cuda(number))
}

/// The card that the runner has for this process.
fn card_of_runner() -> usize {
    std::env::var(deepmcat_stage::CARD).ok().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmcat_stage::Failure;

    #[test]
    fn a_device_that_is_not_there_is_a_usage_error() {
        let (cpu, cuda) = (jobs::compute::Device::Cpu, jobs::compute::Device::Cuda);
        assert!(matches!(device(cpu, None), Ok(Device::Cpu)));
        assert!(device(cpu, Some("cuda:0")).is_err_and(|error| error.to_string().contains("for the processor")));
        let error = device(cuda, Some("cuda:999")).err().map(|error| (error.is_usage(), error.to_string()));
        assert!(error.is_some_and(|(usage, text)| usage && text.contains("cuda:999") && text.contains("hint:")));
    }
}
