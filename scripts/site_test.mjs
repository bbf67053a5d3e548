// Opens every page of the built site in a headless Chromium, at a phone's and a desktop's width, and fails on a console
// error, a failed request, a request that leaves the machine, a formula that is not typeset, a figure that does not show,
// a page wider than its window, or a search that does not find.
//
//   cargo xtask book
//   npm install --prefix "$TMPDIR/site-test" playwright-core     (anywhere outside of the repository)
//   NODE_PATH="$TMPDIR/site-test/node_modules" node scripts/site_test.mjs target/book --shots "$TMPDIR/shots"
//
// Needs Node 18 or newer and a Chromium: /usr/bin/chromium, or the path in CHROMIUM. It is a maintainer's check; what can
// be held without a browser, `cargo test -p xtask -p site` holds.
import { createReadStream, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, relative, resolve } from 'node:path';

const modules = process.env.NODE_PATH;
if (!modules) fail('set NODE_PATH to the node_modules that has playwright-core: see the top of this script');
const { chromium } = createRequire(join(resolve(modules), '..', 'package.json'))('playwright-core');

const [root, ...flags] = process.argv.slice(2);
if (!root || !existsSync(join(root, 'index.html'))) {
    fail('give the folder of a built site, such as target/book: `cargo xtask book` builds it');
}
const shots = flags[0] === '--shots' ? flags[1] : undefined;
if (shots) mkdirSync(shots, { recursive: true });

// rustdoc's pages are led to, and one of them is opened; mdBook's frames and the like are no pages of their own.
const pages = [];
const walk = (dir) => {
    for (const name of readdirSync(dir).sort()) {
        const path = join(dir, name);
        if (statSync(path).isDirectory()) {
            if (relative(root, path) !== 'doc') walk(path);
        } else if (name.endsWith('.html') && name !== 'toc.html') {
            pages.push(relative(root, path));
        }
    }
};
walk(root);

const types = {
    '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml', '.png': 'image/png',
    '.woff2': 'font/woff2', '.json': 'application/json', '.md': 'text/markdown',
};
const server = createServer((request, response) => {
    const path = resolve(root, '.' + decodeURIComponent(new URL(request.url, 'http://x').pathname));
    if (!path.startsWith(resolve(root)) || !existsSync(path) || statSync(path).isDirectory()) {
        response.writeHead(404).end();
        return;
    }
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    createReadStream(path).pipe(response);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const base = `http://127.0.0.1:${server.address().port}/`;

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
});
const problems = [];
let formulas = 0;
let figures = 0;

for (const [width, height, scheme] of [[1280, 900, 'light'], [390, 844, 'dark']]) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
    const page = await context.newPage();
    let at = '';
    const problem = (what) => problems.push(`${at} (${width} px, ${scheme}): ${what}`);
    page.on('console', (message) => message.type() === 'error' && problem(`console: ${message.text()}`));
    page.on('pageerror', (error) => problem(`script: ${error.message}`));
    page.on('requestfailed', (request) => {
        // A page that is left while it still loads its icon is none the worse for it.
        if (request.failure()?.errorText !== 'net::ERR_ABORTED') problem(`failed request: ${request.url()}`);
    });
    page.on('response', (response) => response.status() >= 400 && problem(`${response.status()}: ${response.url()}`));
    page.on('request', (request) => {
        if (!request.url().startsWith(base) && !request.url().startsWith('data:')) problem(`leaves the site: ${request.url()}`);
    });

    for (at of pages) {
        await page.goto(base + at, { waitUntil: 'load' });
        const seen = await page.evaluate(async () => {
            await document.fonts.ready;
            const images = [...document.querySelectorAll('main img')]
                .filter((image) => !image.closest('.img-wrapper')); // what a click on a figure shows
            images.forEach((image) => { image.loading = 'eager'; });
            await Promise.all(images.map((image) => image.decode().catch(() => undefined)));
            const left = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
            let raw = '';
            while (left.nextNode()) {
                const inside = left.currentNode.parentElement;
                if (!inside.closest('code, pre, .katex') && /\$\$|\$[^ ]+\$/.test(left.currentNode.data)) raw ||= left.currentNode.data;
            }
            return {
                raw,
                formulas: document.querySelectorAll('.katex').length,
                untypeset: document.querySelectorAll('.formula, .katex-error').length,
                flat: [...document.querySelectorAll('.katex-html')].filter((node) => node.getBoundingClientRect().height < 5).length,
                font: document.querySelector('.katex') === null || document.fonts.check('16px KaTeX_Main'),
                figures: images.length,
                broken: images.filter((image) => image.naturalWidth === 0 || image.getBoundingClientRect().width < 10)
                    .map((image) => image.src),
                overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
                title: document.querySelector('main h1')?.textContent,
            };
        });
        if (seen.raw) problem(`a formula was not found as such: ${seen.raw}`);
        if (seen.untypeset || seen.flat || !seen.font) problem('a formula is not typeset');
        if (seen.broken.length) problem(`figures do not show: ${seen.broken.join(', ')}`);
        if (seen.overflow > 1) problem(`wider than the window by ${seen.overflow} px`);
        if (!seen.title) problem('no title');
        formulas += seen.formulas;
        figures += seen.figures;
        if (shots) {
            await page.screenshot({ path: join(shots, `${at.replaceAll('/', '-')}-${width}-${scheme}.png`), fullPage: true });
        }
    }

    at = 'search';
    for (const [words, wanted] of [['softmax scratch', 'softmax-regression-scratch'], ['train_ch3', 'names'], ['beam', 'beam-search']]) {
        await page.goto(base + 'index.html');
        await page.keyboard.press('/');
        // The index is fetched when the search opens; keys are what the search listens to.
        await page.locator('#mdbook-searchbar:not([disabled])').pressSequentially(words, { delay: 50 });
        const hit = page.locator(`#mdbook-searchresults a[href*="${wanted}"]`).first();
        await hit.waitFor({ timeout: 10000 }).catch(() => problem(`“${words}” does not find ${wanted}`));
        if (shots && words === 'beam') await page.screenshot({ path: join(shots, `search-${width}-${scheme}.png`) });
    }
    at = 'next';
    await page.goto(base + 'linear-nets/softmax-regression-scratch.html');
    await page.keyboard.press('ArrowRight');
    await page.waitForURL('**/softmax-regression-concise.html', { timeout: 10000 })
        .catch(() => problem('the arrow key does not lead to the next section'));
    if (existsSync(join(root, 'doc'))) {
        for (at of ['doc/d2l/index.html', 'doc/src/linear_nets/softmax_regression_scratch.rs.html']) {
            await page.goto(base + at, { waitUntil: 'load' });
        }
    }
    await context.close();
}
await browser.close();
server.close();
if (formulas === 0 || figures === 0) problems.push('no formula or no figure on the whole site');
problems.forEach((line) => console.log(line));
console.log(`${pages.length} pages at two widths, ${formulas} formulas, ${figures} figures: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

function fail(message) {
    console.error(`error: ${message}`);
    process.exit(2);
}
