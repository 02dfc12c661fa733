use crate::config::{Loaded, Memory, Rules, Shelves, load_texts};
use crate::diagnostic::{Color, render_report};

const PIPELINE: &str = "[sources.app]\ntype = 'file'\ninclude = ['/x']\n[sinks.out]\ntype = 'blackhole'\ninputs = ['step']\n\
                        [transforms.step]\ntype = 'remap'\ninputs = ['app']\n";
const TABLE: &str = "[enrichment_tables.owners]\ntype = 'file'\nfile.path = '/etc/owners.csv'\n";

fn load(texts: &[&str]) -> Loaded {
    let memory = Memory { default_limit: 512 << 20 };
    let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory };
    let names = ["one.toml", "two.toml"];
    load_texts(names.into_iter().zip(texts.iter().copied()), rules)
}

/// The faults, where the file of the table is there.
fn shown(texts: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("owners.csv");
    std::fs::write(&table, "name;age;born;seen\n").unwrap();
    let texts: Vec<_> =
        texts.iter().map(|text| text.replace("/etc/owners.csv", &table.display().to_string())).collect();
    let loaded = load(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    render_report(&loaded.report, &loaded.sources, Color::Never)
}

#[test]
fn programs_know_the_tables_of_all_files_before_any_is_read() {
    let program = "source = '''.owner = get_enrichment_table_record!(\"owners\", {\"name\": .service})'''\n";
    assert_eq!(shown(&[&format!("{PIPELINE}{program}"), TABLE]), "");
    let fault = shown(&[&format!("{PIPELINE}{program}")]);
    assert!(fault.contains("does not compile") && fault.contains("one.toml:10"), "{fault}");
    let misspelt = program.replace("owners", "owner");
    let fault = shown(&[&format!("{PIPELINE}{misspelt}"), TABLE]);
    assert!(fault.contains("no table `owner`") && fault.contains("`owners`"), "it names both: {fault}");
    let condition = "[transforms.some]\ntype = 'filter'\ninputs = ['app']\n\
                     condition = 'length(find_enrichment_table_records!(\"owners\", {\"a\": .b})) > 0'\n";
    let used = condition.replace("some", "step");
    let pipeline = PIPELINE.split("[transforms").next().unwrap();
    assert_eq!(shown(&[&format!("{pipeline}{used}"), TABLE]), "");
}

#[test]
fn faults_of_a_table_stand_where_it_is_declared() {
    let program = "source = '.a = \"owners\"'\n";
    let fault = |table: &str| shown(&[&format!("{PIPELINE}{program}"), table]);
    let of = |table: &str, words: &[&str]| {
        let fault = fault(table);
        assert!(words.iter().all(|word| fault.contains(word)), "{words:?} in {fault}");
        assert!(fault.contains("two.toml:"), "{fault}");
    };
    of(&TABLE.replace("'file'", "'geoip'"), &["geoip", "file"]);
    of(&TABLE.replace("file.path", "file.pth"), &["pth", "path"]);
    of(&TABLE.replace("enrichment_tables", "enrichment_table"), &["did you mean", "enrichment_tables"]);
    of(&format!("{TABLE}schema.tier = 'number'\n"), &["schema.tier", "`number` is no type", "integer"]);
    of(&format!("{TABLE}file.encoding = {{ type = 'csv', delimiter = 'é' }}\n"), &["delimiter", "one ASCII character"]);
    of(&format!("{TABLE}file.encoding = {{ type = 'yaml' }}\n"), &["yaml", "csv"]);
    let vectors = "[enrichment_tables.owners.file.encoding]\ntype = 'csv'\ninclude_headers = true\ndelimiter = ';'\n\
                   [enrichment_tables.owners.schema]\nage = 'integer'\nborn = 'date|%d.%m.%Y'\nseen = 'timestamp|%F %T'\n";
    assert_eq!(fault(&format!("{TABLE}{vectors}")), "");
}
