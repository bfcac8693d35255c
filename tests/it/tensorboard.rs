//! What TensorBoard reads of a run.

use crate::python::python;
use crate::world::World;

#[test]
fn tensorboard_reads_loss_and_metrics() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let code = "
import glob
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
for file in glob.glob('run/tensorboard/*'):
    for event in EventFileLoader(file).Load():
        for value in event.summary.value:
            print(value.tag, event.step, round(value.tensor.float_val[0], 4))
";
    let Some(lines) = python(&world, "tensorboard", code) else { return };
    let scalar = |name: &str| lines.lines().filter(|line| line.starts_with(&format!("{name} "))).count();
    let steps = deepmcat_schemas::read_folder::<deepmcat_schemas::Training>(&world.path("run/training/epoch=0"));
    assert_eq!(scalar("train/loss"), 2 * steps.unwrap().step.len());
    assert_eq!((scalar("clusters/purity"), scalar("raw_pixels/purity")), (3, 1));
    let status: serde_json::Value = serde_json::from_str(&world.deepmcat(&["status", "run", "--json"])).unwrap();
    let purity = status["metrics"][3]["purity"].as_f64().unwrap();
    assert!(lines.contains(&format!("clusters/purity 2 {}", (purity * 1e4).round() / 1e4)), "{lines}");
}
