//! A shell script that submits every process as a Slurm job, after those that it reads from.

use std::fmt::Write;

use super::{Process, quoted};
use crate::RunFolder;

/// The script.
pub(super) fn text(run: &RunFolder, processes: &[Process]) -> String {
    let mut text = format!(
        "#!/bin/bash\n\
         # Made by `deepmcat export slurm`: submits the whole run, a job a process. Options for every job, for\n\
         # example a partition or an account, are this script's own: bash submit.sh --partition=long\n\
         set -euo pipefail\ncd {}\nmkdir -p logs\n\
         submit() {{ sbatch --parsable --kill-on-invalid-dep=yes --export=ALL \"$@\"; }}\noptions=(\"$@\")\n\n",
        quoted(&run.path.to_string_lossy())
    );
    for process in processes {
        let after: Vec<String> =
            process.after.iter().map(|&before| format!("${{{}}}", processes[before].name)).collect();
        let after = if after.is_empty() { String::new() } else { format!(" --dependency=afterok:{}", after.join(":")) };
        // 0 threads are all that a node has.
        let threads = if process.threads == 0 {
            " --exclusive".to_owned()
        } else {
            format!(" --cpus-per-task={}", process.threads)
        };
        let gpu = if process.gpu { " --gres=gpu:1" } else { "" };
        let removed: Vec<String> = process.last_to_read.iter().map(|path| quoted(&path.to_string_lossy())).collect();
        let removed = if removed.is_empty() { String::new() } else { format!(" && rm -r {}", removed.join(" ")) };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name}=$(submit \"${{options[@]}}\" --job-name={name} --output=logs/{name}.log{threads}{gpu}{after} --wrap {})",
            quoted(&format!("{}{removed}", process.command)),
            name = process.name,
        );
    }
    text
}
