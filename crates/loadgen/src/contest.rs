//! Rounds in which contenders take turns, so that what else the machine does hits all of them.

use crate::arena::{Arena, Heat};
use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::{Latencies, Spread};
use crate::progress;
use crate::report::{Line, Side, Target, Value};
use crate::rows::{Contender, Duel, Row};
use crate::site::Postgres;

/// Measures all rows that are duels.
pub(crate) async fn run(args: &Args, postgres: &Postgres) -> Result<Vec<Line>> {
    let duels: Vec<(Row, Duel)> = args
        .rows
        .iter()
        .filter_map(|row| Some((*row, row.duel()?)))
        .collect();
    if duels.is_empty() {
        return Ok(Vec::new());
    }
    let takes_part = |contender: &Contender| {
        let mut duels = duels.iter();
        duels.any(|(_, duel)| [duel.subject, duel.reference].contains(contender))
    };
    let contenders: Vec<_> = Contender::ALL.into_iter().filter(takes_part).collect();
    let mut arena = Arena::prepare(args, postgres, &contenders).await?;
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let mut heats = Vec::new();
        for contender in &contenders {
            let heat = arena.heat(*contender).await?;
            let (title, figure) = (contender.title(), heat.per_second);
            progress(format_args!("round {round}: {title}: {figure:.0}/s"));
            heats.push((*contender, heat));
        }
        rounds.push(heats);
    }
    let lines = duels.into_iter();
    lines.map(|(row, duel)| line(row, &duel, &rounds)).collect()
}

type Round = Vec<(Contender, Heat)>;

fn line(row: Row, duel: &Duel, rounds: &[Round]) -> Result<Line> {
    let subjects = heats(rounds, duel.subject);
    let references = heats(rounds, duel.reference);
    let pairs = subjects.iter().zip(&references);
    let ratios = pairs.map(|(subject, reference)| subject.per_second / reference.per_second);
    let latencies = Latencies::all(subjects.iter().map(|heat| &heat.latencies));
    let faults = subjects.iter().chain(&references);
    Ok(Line {
        row: row.name(),
        subject: side(duel.subject, &subjects)?,
        reference: Some(side(duel.reference, &references)?),
        ratio: Spread::of(ratios),
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        target: Target::AtLeast(duel.at_least),
        faults: faults
            .flat_map(|heat| heat.faults.iter().cloned())
            .collect(),
    })
}

fn heats(rounds: &[Round], contender: Contender) -> Vec<&Heat> {
    let heats = rounds.iter().flatten();
    let mine = heats.filter(|(other, _)| *other == contender);
    mine.map(|(_, heat)| heat).collect()
}

fn side(contender: Contender, heats: &[&Heat]) -> Result<Side> {
    let figures = Spread::of(heats.iter().map(|heat| heat.per_second));
    Ok(Side {
        title: contender.title().to_owned(),
        value: Value::PerSecond(figures.or_fault("there was no round")?),
    })
}
