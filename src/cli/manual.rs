//! `escalator man`: one page for the whole program, with a section for each command.

use clap::Command;
use clap_mangen::Man;
use std::io;

/// The manual page, in the format of `man`.
pub(super) fn page(program: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let whole = Man::new(program.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    for command in program.get_subcommands() {
        describe(command, program.get_name(), &mut page)?;
    }
    whole.render_version_section(&mut page)?;
    whole.render_authors_section(&mut page)?;
    Ok(page)
}

/// One section: what the command is for, its options, and what it says below them. A group of commands has one for each.
fn describe(command: &Command, parents: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{parents} {}", command.get_name());
    if command.has_subcommands() {
        return command
            .get_subcommands()
            .try_for_each(|one| describe(one, &name, page));
    }
    // Its own help and version flags are the program's, which were described above.
    let own = command
        .clone()
        .bin_name(&name)
        .disable_help_flag(true)
        .disable_version_flag(true);
    let own = Man::new(own);
    let mut section = Vec::new();
    own.render_synopsis_section(&mut section)?;
    own.render_description_section(&mut section)?;
    own.render_options_section(&mut section)?;
    own.render_extra_section(&mut section)?;
    page.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    let section = String::from_utf8_lossy(&section);
    // One level down, below the command's own heading.
    for line in section.lines() {
        let line = match line.strip_prefix(".SH ") {
            Some("EXTRA") => ".SS NOTES\n".to_owned(),
            Some(heading) => format!(".SS {heading}\n"),
            None => format!("{line}\n"),
        };
        page.extend_from_slice(line.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_has_its_section_with_its_options() {
        let program = super::super::Cli::command();
        let page = String::from_utf8(page(program.clone()).unwrap()).unwrap();
        for command in program.get_subcommands() {
            let heading = format!(".SH \"ESCALATOR {}", command.get_name().to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
        assert!(
            page.contains(".SH \"ESCALATOR ESCALATIONS SHOW\""),
            "{page}"
        );
        assert!(page.contains("\\-\\-generation"), "{page}");
        assert!(page.contains("offset_ms"), "{page}");
    }
}
