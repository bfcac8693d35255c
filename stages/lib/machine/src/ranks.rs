//! The processes that share a stage's work under MPI (`mpirun`, `srun`): which of them this is, and sums over all.
//!
//! A build without the feature `mpi` knows one process alone, and refuses to be one of several.

use tch::Tensor;

use crate::Error;

/// One of the processes that work on the same node, numbered from 0.
#[derive(Debug)]
pub struct Ranks {
    rank: usize,
    count: usize,
    #[cfg(feature = "mpi")]
    world: Option<mpi_world::World>,
}

impl Ranks {
    /// A process that works alone.
    #[must_use]
    pub fn alone() -> Self {
        Self {
            rank: 0,
            count: 1,
            #[cfg(feature = "mpi")]
            world: None,
        }
    }

    /// Joins the processes that a job asks for.
    ///
    /// # Errors
    /// When another number of them was started, or this build cannot talk to others.
    pub fn join(asked: u32) -> Result<Self, Error> {
        let asked = asked as usize;
        let started = if asked > 1 { Self::started()? } else { Self::alone() };
        let count = if asked > 1 { started.count } else { count_by_launcher() };
        if count != asked {
            return Err(Error::Ranks { asked, started: count });
        }
        Ok(started)
    }

    #[cfg(feature = "mpi")]
    fn started() -> Result<Self, Error> {
        let world = mpi_world::World::start().ok_or(Error::NoMpi)?;
        Ok(Self { rank: world.rank(), count: world.count(), world: Some(world) })
    }

    #[cfg(not(feature = "mpi"))]
    fn started() -> Result<Self, Error> {
        Err(Error::NoMpi)
    }

    /// Ends a work that went well. A process that fails ends without it, whereupon the launcher ends the others:
    /// saying farewell would wait for them, who wait for this one.
    pub fn leave(self) {
        #[cfg(feature = "mpi")]
        if let Some(world) = self.world {
            world.leave();
        }
    }

    /// The number of this process.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// True for the process that writes.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// Adds up `values` over all processes, in place.
    pub fn sum(&self, values: &mut [f64]) {
        #[cfg(feature = "mpi")]
        if let Some(world) = &self.world {
            let own = values.to_vec();
            world.sum(&own, values);
        }
        #[cfg(not(feature = "mpi"))]
        let _ = values;
    }

    /// The sum of single-precision tensors of the same shape over all processes; on the device of `tensor`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn sum_of(&self, tensor: &Tensor) -> Result<Tensor, Error> {
        #[cfg(feature = "mpi")]
        if let Some(world) = &self.world {
            let own = Vec::<f32>::try_from(tensor.f_flatten(0, -1)?)?;
            let mut sum = vec![0.0; own.len()];
            world.sum(&own, &mut sum);
            return Ok(Tensor::f_from_slice(&sum)?.f_view(&tensor.size()[..])?.f_to_device(tensor.device())?);
        }
        Ok(tensor.shallow_clone())
    }

    /// The rows of all processes one after another: this one has computed `mine`, its [`Self::share`] of them.
    #[must_use]
    pub fn gather(&self, mine: Vec<[u32; 2]>, rows: usize) -> Vec<[u32; 2]> {
        #[cfg(feature = "mpi")]
        if let Some(world) = &self.world {
            let counts: Vec<i32> = (0..self.count).map(|rank| 2 * share(rank, self.count, rows).len() as i32).collect();
            return world.gather(mine.as_flattened(), &counts).as_chunks().0.to_vec();
        }
        let _ = rows;
        mine
    }

    /// The part of `rows` that is this process's.
    #[must_use]
    pub fn share(&self, rows: usize) -> std::ops::Range<usize> {
        share(self.rank, self.count, rows)
    }
}

fn share(rank: usize, count: usize, rows: usize) -> std::ops::Range<usize> {
    rank * rows / count..(rank + 1) * rows / count
}

/// The MPI library of this build, if it has one.
#[must_use]
pub fn mpi_version() -> Option<String> {
    #[cfg(feature = "mpi")]
    return mpi::environment::library_version().ok().map(|text| text.split(',').next().unwrap_or_default().to_owned());
    #[cfg(not(feature = "mpi"))]
    None
}

/// How many processes Open MPI's `mpirun`, `srun` or MPICH's `mpiexec` say that they started; 1 without them.
fn count_by_launcher() -> usize {
    ["OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "PMI_SIZE"].into_iter().find_map(number).unwrap_or(1)
}

/// How many of them are on this machine.
pub(crate) fn local_count() -> usize {
    ["OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE", "MPI_LOCALNRANKS"]
        .into_iter()
        .find_map(number)
        .unwrap_or(1)
        .max(1)
}

/// The number of this process among those on its machine.
pub(crate) fn local_rank() -> usize {
    ["OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID"].into_iter().find_map(number).unwrap_or(0)
}

/// The number that a variable begins with: Slurm writes `2(x3)` for two tasks on each of three machines.
fn number(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
}

#[cfg(feature = "mpi")]
mod mpi_world {
    //! MPI as `Ranks` needs it.

    use std::mem::ManuallyDrop;

    use mpi::Threading;
    use mpi::collective::SystemOperation;
    use mpi::datatype::PartitionMut;
    use mpi::environment::Universe;
    use mpi::topology::SimpleCommunicator;
    use mpi::traits::{Buffer, BufferMut, Communicator, CommunicatorCollectives};

    pub(super) struct World {
        // Dropping it is MPI_Finalize.
        universe: ManuallyDrop<Universe>,
        all: SimpleCommunicator,
    }

    impl std::fmt::Debug for World {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "rank {} of {}", self.rank(), self.count())
        }
    }

    impl World {
        /// `None` where MPI was started before.
        pub(super) fn start() -> Option<Self> {
            // One thread calls MPI, others compute.
            let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
            let all = universe.world();
            Some(Self { universe: ManuallyDrop::new(universe), all })
        }

        pub(super) fn leave(self) {
            drop(ManuallyDrop::into_inner(self.universe));
        }

        pub(super) fn rank(&self) -> usize {
            usize::try_from(self.all.rank()).unwrap_or_default()
        }

        pub(super) fn count(&self) -> usize {
            usize::try_from(self.all.size()).unwrap_or(1)
        }

        pub(super) fn sum<T>(&self, own: &[T], sum: &mut [T])
        where
            [T]: Buffer + BufferMut,
        {
            self.all.all_reduce_into(own, sum, SystemOperation::sum());
        }

        pub(super) fn gather(&self, mine: &[u32], counts: &[i32]) -> Vec<u32> {
            let places: Vec<i32> = (0..counts.len()).map(|rank| counts[..rank].iter().sum()).collect();
            let mut all = vec![0; counts.iter().sum::<i32>() as usize];
            self.all.all_gather_varcount_into(mine, &mut PartitionMut::new(&mut all[..], counts, &places[..]));
            all
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_all_rows_once() {
        for (rows, count) in [(10, 3), (2, 4), (0, 2), (7, 1)] {
            assert!((0..count).flat_map(|rank| share(rank, count, rows)).eq(0..rows), "{rows} {count}");
        }
    }

    #[test]
    fn one_process_has_nothing_to_add_up() {
        let ranks = Ranks::alone();
        let mut values = [1.0, 2.0];
        ranks.sum(&mut values);
        assert_eq!(values, [1.0, 2.0]);
        assert_eq!(ranks.gather(vec![[1, 2], [3, 4]], 2), [[1, 2], [3, 4]]);
        assert!(ranks.is_first());
    }
}
