//! `everstep resume`: lets go on what was paused.

use super::Context;
use super::engine::who;
use super::fault::{Fault, Outcome};
use super::pause::{Done, Target, changed, connect, list, told};
use crate::view::counted;

#[derive(clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(context: &Context, arguments: &ResumeArgs) -> Outcome {
    if arguments.target.list {
        return list(context).await;
    }
    let Target { ids, workflow, job_type, .. } = &arguments.target;
    let live = connect(context, ids).await?;
    let (client, who) = (live.client(), who());
    if let Some(name) = workflow {
        let executions = client.resume_workflow(name, &who).await?;
        let many = counted(executions, "execution");
        context.ui.say(&format!("workflow {name} goes on, with {many} under way"));
        return told(context, &[changed("workflow", name, false, executions)], None);
    }
    if let Some(name) = job_type {
        client.resume_job_type(name, &who).await?;
        context.ui.say(&format!("jobs of type {name} go on"));
        return told(context, &[changed("job_type", name, false, 0)], None);
    }
    let mut done = Done::default();
    for text in ids {
        let resumed = async {
            let id = live.find(text).await?;
            client.resume(id, &who).await?;
            let still = live.execution(id).await?.is_paused();
            let how = if still { "stays paused with its workflow" } else { "goes on" };
            context.ui.say(&format!("{} {how}", id.short()));
            Ok::<_, Box<Fault>>(changed("execution", &id.to_string(), still, 1))
        };
        done.note(context, resumed.await);
    }
    done.end(context, None)
}
