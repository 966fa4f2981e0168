//! Rounds in which contenders take turns, so that what else the machine does hits all of them.

use crate::arena::{Arena, Heat};
use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::progress;
use crate::report::{Line, Side, Value};
use crate::rows::{Contender, Duel, Figure, Row};
use crate::site::Postgres;

/// What everybody did in one turn.
pub(crate) type Round = Vec<(Contender, Heat)>;

/// Measures all rows that are duels.
pub(crate) async fn run(args: &Args, postgres: &Postgres) -> Result<Vec<Line>> {
    let duels: Vec<(Row, &Duel)> = args
        .rows
        .iter()
        .flat_map(|row| row.duels().iter().map(|duel| (*row, duel)))
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
            tell(round, *contender, &heat);
            heats.push((*contender, heat));
        }
        rounds.push(heats);
    }
    let lines = duels.into_iter();
    lines.map(|(row, duel)| line(row, duel, &rounds)).collect()
}

/// Says how a heat went.
pub(crate) fn tell(round: usize, contender: Contender, heat: &Heat) {
    let (title, figure) = (contender.title(), heat.per_second);
    progress(format_args!("round {round}: {title}: {figure:.0}/s"));
}

/// How a duel ended.
pub(crate) fn line(row: Row, duel: &Duel, rounds: &[Round]) -> Result<Line> {
    let (subjects, references) = (heats(rounds, duel.subject), heats(rounds, duel.reference));
    let ours = figures(duel.figure, &subjects)?;
    let theirs = figures(duel.figure, &references)?;
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
    let latencies = Latencies::all(subjects.iter().map(|heat| &heat.latencies));
    let faults = subjects.iter().chain(&references);
    Ok(Line {
        row: row.name(),
        subject: side(duel, duel.subject, &ours)?,
        reference: Some(side(duel, duel.reference, &theirs)?),
        ratio: Spread::of(ratios),
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        target: duel.target,
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

/// What is compared, of each round.
fn figures(figure: Figure, heats: &[&Heat]) -> Result<Vec<f64>> {
    let figures = heats.iter().map(|heat| match figure {
        Figure::Throughput => Some(heat.per_second),
        Figure::P99 => heat.latencies.percentile(99).map(milliseconds),
    });
    figures
        .collect::<Option<_>>()
        .or_fault("nothing was measured")
}

fn side(duel: &Duel, contender: Contender, figures: &[f64]) -> Result<Side> {
    let title = contender.title();
    let spread = Spread::of(figures.iter().copied()).or_fault("there was no round")?;
    Ok(match duel.figure {
        Figure::Throughput => Side {
            title: title.to_owned(),
            value: Value::PerSecond(spread),
        },
        Figure::P99 => Side {
            title: format!("p99 of {title}"),
            value: Value::Milliseconds(spread),
        },
    })
}
