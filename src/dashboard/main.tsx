import { render } from 'preact';
import { Shell } from './shell/shell.tsx';

const root = document.createElement('div');
root.id = 'root';
document.body.append(root);
render(<Shell />, root);
